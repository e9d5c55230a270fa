/** Stage `input-gradient` by rows: see rows.ts for what a row is. */

import { centerOf, parameter } from './channel';
import { differ, hasNear, loadOne, madd, nmadd, Off, On, storeOne } from './lanes';
import { arrayBytes, channelsOfRun, rowsOfChunk, rowsOfStrip, spread } from './rows';
import { scratch } from './scratch';

/** Where the coefficients of all positions lie: four arrays, each `bytes` long. */
const SCALE: usize = 1;
const SLOPE: usize = 2;
const OFFSET: usize = 3;

/** dx = dy * scale + offset - (x - center) * slope over `rows` rows of `width` bytes. */
function gradientRows<T, Near>(
  dx: usize,
  dy: usize,
  x: usize,
  center: usize,
  bytes: usize,
  rows: usize,
  stride: usize,
  width: usize,
): void {
  const whole = width & ~15;
  let p: usize = 0;
  for (; p + 64 <= whole; p += 64) {
    const q = center + p;
    const m0 = v128.load(q, 0);
    const m1 = v128.load(q, 16);
    const m2 = v128.load(q, 32);
    const m3 = v128.load(q, 48);
    const s0 = v128.load(q + SCALE * bytes, 0);
    const s1 = v128.load(q + SCALE * bytes, 16);
    const s2 = v128.load(q + SCALE * bytes, 32);
    const s3 = v128.load(q + SCALE * bytes, 48);
    const k0 = v128.load(q + SLOPE * bytes, 0);
    const k1 = v128.load(q + SLOPE * bytes, 16);
    const k2 = v128.load(q + SLOPE * bytes, 32);
    const k3 = v128.load(q + SLOPE * bytes, 48);
    const o0 = v128.load(q + OFFSET * bytes, 0);
    const o1 = v128.load(q + OFFSET * bytes, 16);
    const o2 = v128.load(q + OFFSET * bytes, 32);
    const o3 = v128.load(q + OFFSET * bytes, 48);
    let a = x + p;
    let g = dy + p;
    let t = dx + p;
    for (let left = rows; left > 0; left--) {
      const d0 = differ<T, Near>(v128.load(a, 0), m0);
      v128.store(t, nmadd<T>(d0, k0, madd<T>(v128.load(g, 0), s0, o0)), 0);
      const d1 = differ<T, Near>(v128.load(a, 16), m1);
      v128.store(t, nmadd<T>(d1, k1, madd<T>(v128.load(g, 16), s1, o1)), 16);
      const d2 = differ<T, Near>(v128.load(a, 32), m2);
      v128.store(t, nmadd<T>(d2, k2, madd<T>(v128.load(g, 32), s2, o2)), 32);
      const d3 = differ<T, Near>(v128.load(a, 48), m3);
      v128.store(t, nmadd<T>(d3, k3, madd<T>(v128.load(g, 48), s3, o3)), 48);
      a += stride;
      g += stride;
      t += stride;
    }
  }
  for (; p < whole; p += 16) {
    const q = center + p;
    const m = v128.load(q);
    const s = v128.load(q + SCALE * bytes);
    const k = v128.load(q + SLOPE * bytes);
    const o = v128.load(q + OFFSET * bytes);
    for (let r: usize = 0; r < rows; r++) {
      const at = r * stride + p;
      const d = differ<T, Near>(v128.load(x + at), m);
      v128.store(dx + at, nmadd<T>(d, k, madd<T>(v128.load(dy + at), s, o)));
    }
  }
  for (; p < width; p += sizeof<T>()) {
    const q = center + p;
    const m = v128.load(q);
    const s = v128.load(q + SCALE * bytes);
    const k = v128.load(q + SLOPE * bytes);
    const o = v128.load(q + OFFSET * bytes);
    for (let r: usize = 0; r < rows; r++) {
      const at = r * stride + p;
      const d = differ<T, Near>(loadOne<T>(x + at), m);
      storeOne<T>(dx + at, nmadd<T>(d, k, madd<T>(loadOne<T>(dy + at), s, o)));
    }
  }
}

/**
 * Writes dx = weight * invstd * (dy - meanDy - xhat * meanDyXhat), the means 0 where their
 * pointers are. dx may be dy or x. Pointers aligned to T.
 */
export function rowInputGradient<T>(
  dx: usize,
  dy: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  meanDy: usize,
  meanDyXhat: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  repeat: usize,
): void {
  const size: usize = sizeof<T>();
  const run = channelsOfRun(channels, repeat);
  const bytes = arrayBytes<T>(run * repeat);
  const center = scratch(4 * bytes);
  const chunk = rowsOfChunk(stride);
  const tall = rowsOfStrip(rows, stride);
  for (let from: usize = 0; from < channels; from += run) {
    const k = min(run, channels - from);
    let near = true;
    for (let c: usize = 0; c < k; c++) {
      const channel = from + c;
      const m = load<f64>(mean + channel * 8);
      const i = load<f64>(invstd + channel * 8);
      const middle = centerOf<T>(m, i);
      const s = i * parameter<T>(weight, channel, 1);
      const slope = meanDy === 0 ? <f64>0 : load<f64>(meanDyXhat + channel * 8) * i * s;
      const level = meanDy === 0 ? <f64>0 : load<f64>(meanDy + channel * 8) * s;
      if (middle !== 0) near = false;
      spread<T>(center, c, repeat, middle);
      spread<T>(center + SCALE * bytes, c, repeat, <T>s);
      spread<T>(center + SLOPE * bytes, c, repeat, <T>slope);
      spread<T>(center + OFFSET * bytes, c, repeat, <T>((m - <f64>middle) * slope - level));
    }
    const start = from * repeat * size;
    const width = k * repeat * size;
    let end = rows;
    while (end > 0) {
      const part = end % chunk === 0 ? chunk : end % chunk;
      end -= part;
      // Short strips: the coefficients of 32 bytes stay in registers down a strip.
      for (let r = end; r < end + part; r += tall) {
        const strip = min(tall, end + part - r);
        const at = start + r * stride;
        if (hasNear<T>() && near)
          gradientRows<T, On>(dx + at, dy + at, x + at, center, bytes, strip, stride, width);
        else gradientRows<T, Off>(dx + at, dy + at, x + at, center, bytes, strip, stride, width);
      }
    }
  }
}
