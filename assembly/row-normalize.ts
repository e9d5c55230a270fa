/** Stage `normalize` by rows: see rows.ts for what a row is. */

import { centerOf, parameter } from './channel';
import { differ, hasNear, loadOne, madd, Off, On, storeOne } from './lanes';
import { arrayBytes, channelsOfRun, rowsOfChunk, rowsOfStrip, spread } from './rows';
import { scratch } from './scratch';

/** Normalises `rows` rows of `width` bytes by the coefficients of each position. */
function normalizeRows<T, Near>(
  y: usize,
  x: usize,
  center: usize,
  scale: usize,
  offset: usize,
  rows: usize,
  stride: usize,
  width: usize,
): void {
  const whole = width & ~15;
  let p: usize = 0;
  for (; p + 64 <= whole; p += 64) {
    const m0 = v128.load(center + p, 0);
    const m1 = v128.load(center + p, 16);
    const m2 = v128.load(center + p, 32);
    const m3 = v128.load(center + p, 48);
    const s0 = v128.load(scale + p, 0);
    const s1 = v128.load(scale + p, 16);
    const s2 = v128.load(scale + p, 32);
    const s3 = v128.load(scale + p, 48);
    const o0 = v128.load(offset + p, 0);
    const o1 = v128.load(offset + p, 16);
    const o2 = v128.load(offset + p, 32);
    const o3 = v128.load(offset + p, 48);
    let a = x + p;
    let t = y + p;
    for (let left = rows; left > 0; left--) {
      v128.store(t, madd<T>(differ<T, Near>(v128.load(a, 0), m0), s0, o0), 0);
      v128.store(t, madd<T>(differ<T, Near>(v128.load(a, 16), m1), s1, o1), 16);
      v128.store(t, madd<T>(differ<T, Near>(v128.load(a, 32), m2), s2, o2), 32);
      v128.store(t, madd<T>(differ<T, Near>(v128.load(a, 48), m3), s3, o3), 48);
      a += stride;
      t += stride;
    }
  }
  for (; p < whole; p += 16) {
    const m = v128.load(center + p);
    const s = v128.load(scale + p);
    const o = v128.load(offset + p);
    for (let r: usize = 0; r < rows; r++) {
      const d = differ<T, Near>(v128.load(x + r * stride + p), m);
      v128.store(y + r * stride + p, madd<T>(d, s, o));
    }
  }
  for (; p < width; p += sizeof<T>()) {
    const m = v128.load(center + p);
    const s = v128.load(scale + p);
    const o = v128.load(offset + p);
    for (let r: usize = 0; r < rows; r++) {
      const d = differ<T, Near>(loadOne<T>(x + r * stride + p), m);
      storeOne<T>(y + r * stride + p, madd<T>(d, s, o));
    }
  }
}

/** Writes y = (x - mean) * invstd * weight + bias. y may be x. Pointers aligned to T. */
export function rowNormalize<T>(
  y: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  repeat: usize,
): void {
  const size: usize = sizeof<T>();
  const run = channelsOfRun(channels, repeat);
  const bytes = arrayBytes<T>(run * repeat);
  const center = scratch(3 * bytes);
  const scale = center + bytes;
  const offset = scale + bytes;
  const chunk = rowsOfChunk(stride);
  const tall = rowsOfStrip(rows, stride);
  for (let from: usize = 0; from < channels; from += run) {
    const k = min(run, channels - from);
    let near = true;
    for (let c: usize = 0; c < k; c++) {
      const m = load<f64>(mean + (from + c) * 8);
      const i = load<f64>(invstd + (from + c) * 8);
      const middle = centerOf<T>(m, i);
      const s = <T>(i * parameter<T>(weight, from + c, 1));
      const o = parameter<T>(bias, from + c, 0) - (m - <f64>middle) * <f64>s;
      if (middle !== 0) near = false;
      spread<T>(center, c, repeat, middle);
      spread<T>(scale, c, repeat, s);
      spread<T>(offset, c, repeat, <T>o);
    }
    const start = from * repeat * size;
    const width = k * repeat * size;
    let end = rows;
    while (end > 0) {
      const part = end % chunk === 0 ? chunk : end % chunk;
      end -= part;
      // Short strips: the coefficients of 64 bytes stay in registers down a strip.
      for (let r = end; r < end + part; r += tall) {
        const strip = min(tall, end + part - r);
        const at = start + r * stride;
        if (hasNear<T>() && near)
          normalizeRows<T, On>(y + at, x + at, center, scale, offset, strip, stride, width);
        else normalizeRows<T, Off>(y + at, x + at, center, scale, offset, strip, stride, width);
      }
    }
  }
}
