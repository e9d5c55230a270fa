/** Stage `normalize` by rows: see rows.ts for what a row is. */

import { centerOf, parameter } from './channel';
import { differ, hasNear, loadOne, madd, Off, On, storeOne } from './lanes';
import { arrayBytes, channelsOfRun, rowsOfChunk, spread } from './rows';
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
  let r: usize = 0;
  for (; r + 4 <= rows; r += 4) {
    const a = x + r * stride;
    const b = a + stride;
    const c = b + stride;
    const d = c + stride;
    const ya = y + r * stride;
    const yb = ya + stride;
    const yc = yb + stride;
    const yd = yc + stride;
    for (let p: usize = 0; p < whole; p += 16) {
      const m = v128.load(center + p);
      const s = v128.load(scale + p);
      const o = v128.load(offset + p);
      v128.store(ya + p, madd<T>(differ<T, Near>(v128.load(a + p), m), s, o));
      v128.store(yb + p, madd<T>(differ<T, Near>(v128.load(b + p), m), s, o));
      v128.store(yc + p, madd<T>(differ<T, Near>(v128.load(c + p), m), s, o));
      v128.store(yd + p, madd<T>(differ<T, Near>(v128.load(d + p), m), s, o));
    }
  }
  for (; r < rows; r++) {
    const a = x + r * stride;
    const ya = y + r * stride;
    for (let p: usize = 0; p < whole; p += 16) {
      const d = differ<T, Near>(v128.load(a + p), v128.load(center + p));
      v128.store(ya + p, madd<T>(d, v128.load(scale + p), v128.load(offset + p)));
    }
  }
  for (let p = whole; p < width; p += sizeof<T>()) {
    const m = v128.load(center + p);
    const s = v128.load(scale + p);
    const o = v128.load(offset + p);
    for (r = 0; r < rows; r++) {
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
      const at = start + end * stride;
      if (hasNear<T>() && near)
        normalizeRows<T, On>(y + at, x + at, center, scale, offset, part, stride, width);
      else normalizeRows<T, Off>(y + at, x + at, center, scale, offset, part, stride, width);
    }
  }
}
