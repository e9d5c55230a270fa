/** Stage `input-gradient` by rows: see rows.ts for what a row is. */

import { centerOf, parameter } from './channel';
import { differ, hasNear, loadOne, madd, nmadd, Off, On, storeOne } from './lanes';
import { arrayBytes, channelsOfRun, rowsOfChunk, spread } from './rows';
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
  let r: usize = 0;
  for (; r + 2 <= rows; r += 2) {
    const at = r * stride;
    const x0 = x + at;
    const x1 = x0 + stride;
    const g0 = dy + at;
    const g1 = g0 + stride;
    const t0 = dx + at;
    const t1 = t0 + stride;
    for (let p: usize = 0; p < whole; p += 16) {
      const q = center + p;
      const m = v128.load(q);
      const s = v128.load(q + SCALE * bytes);
      const k = v128.load(q + SLOPE * bytes);
      const o = v128.load(q + OFFSET * bytes);
      const d0 = differ<T, Near>(v128.load(x0 + p), m);
      v128.store(t0 + p, nmadd<T>(d0, k, madd<T>(v128.load(g0 + p), s, o)));
      const d1 = differ<T, Near>(v128.load(x1 + p), m);
      v128.store(t1 + p, nmadd<T>(d1, k, madd<T>(v128.load(g1 + p), s, o)));
    }
  }
  for (; r < rows; r++) {
    const at = r * stride;
    for (let p: usize = 0; p < whole; p += 16) {
      const q = center + p;
      const d = differ<T, Near>(v128.load(x + at + p), v128.load(q));
      const g = madd<T>(
        v128.load(dy + at + p),
        v128.load(q + SCALE * bytes),
        v128.load(q + OFFSET * bytes),
      );
      v128.store(dx + at + p, nmadd<T>(d, v128.load(q + SLOPE * bytes), g));
    }
  }
  for (let p = whole; p < width; p += sizeof<T>()) {
    const q = center + p;
    const m = v128.load(q);
    const s = v128.load(q + SCALE * bytes);
    const k = v128.load(q + SLOPE * bytes);
    const o = v128.load(q + OFFSET * bytes);
    for (r = 0; r < rows; r++) {
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
      const at = start + end * stride;
      if (hasNear<T>() && near)
        gradientRows<T, On>(dx + at, dy + at, x + at, center, bytes, part, stride, width);
      else gradientRows<T, Off>(dx + at, dy + at, x + at, center, bytes, part, stride, width);
    }
  }
}
