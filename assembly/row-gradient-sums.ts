/** Stage `gradient-sums` by rows: see rows.ts for what a row is. */

import { exactGradientSums, gradientShiftOf } from './channel';
import { differ, hasNear, madd, Off, On } from './lanes';
import { arrayBytes, channelsOfRun, gather, rowsOfChain, spread } from './rows';
import { scratch } from './scratch';

/** Adds dy and dy * (x - shift) over `rows` rows to the sums of each position. */
function sumRows<T, Near>(
  sums: usize,
  products: usize,
  shift: usize,
  dy: usize,
  x: usize,
  rows: usize,
  stride: usize,
  width: usize,
): void {
  let r: usize = 0;
  for (; r + 4 <= rows; r += 4) {
    const a = x + r * stride;
    const b = a + stride;
    const c = b + stride;
    const d = c + stride;
    const da = dy + r * stride;
    const db = da + stride;
    const dc = db + stride;
    const dd = dc + stride;
    for (let p: usize = 0; p < width; p += 16) {
      const h = v128.load(shift + p);
      const ga = v128.load(da + p);
      const gb = v128.load(db + p);
      let q = v128.mul<T>(differ<T, Near>(v128.load(a + p), h), ga);
      q = madd<T>(differ<T, Near>(v128.load(b + p), h), gb, q);
      const gc = v128.load(dc + p);
      const gd = v128.load(dd + p);
      q = madd<T>(differ<T, Near>(v128.load(c + p), h), gc, q);
      q = madd<T>(differ<T, Near>(v128.load(d + p), h), gd, q);
      v128.store(products + p, v128.add<T>(v128.load(products + p), q));
      const g = v128.add<T>(v128.add<T>(ga, gb), v128.add<T>(gc, gd));
      v128.store(sums + p, v128.add<T>(v128.load(sums + p), g));
    }
  }
  for (; r < rows; r++) {
    const a = x + r * stride;
    const da = dy + r * stride;
    for (let p: usize = 0; p < width; p += 16) {
      const g = v128.load(da + p);
      const d = differ<T, Near>(v128.load(a + p), v128.load(shift + p));
      v128.store(sums + p, v128.add<T>(v128.load(sums + p), g));
      v128.store(products + p, madd<T>(d, g, v128.load(products + p)));
    }
  }
}

/**
 * Writes sum(dy) and sum(dy * xhat) (float64) of `channels` channels. dy, x: aligned to T, `rows`
 * rows > 0, `stride` bytes apart; `repeat` values of each channel side by side.
 */
export function rowGradientSums<T>(
  sumDy: usize,
  sumDyXhat: usize,
  dy: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  repeat: usize,
): void {
  const size: usize = sizeof<T>();
  const run = channelsOfRun(channels, repeat);
  const bytes = arrayBytes<T>(run * repeat);
  const shift = scratch(3 * bytes + 16 * run);
  const sums = shift + bytes;
  const products = sums + bytes;
  const total = products + bytes;
  const totalProducts = total + 8 * run;
  for (let from: usize = 0; from < channels; from += run) {
    const k = min(run, channels - from);
    const start = from * repeat * size;
    let near = true;
    for (let c: usize = 0; c < k; c++) {
      const at = x + start + c * repeat * size;
      const m = load<f64>(mean + (from + c) * 8);
      const value = gradientShiftOf<T>(
        at,
        rows,
        stride,
        repeat * size,
        m,
        load<f64>(invstd + (from + c) * 8),
      );
      if (value !== 0) near = false;
      spread<T>(shift, c, repeat, value);
    }
    memory.fill(sums, 0, 2 * bytes + 16 * run);
    const width = k * repeat * size;
    const chain = rowsOfChain(near);
    for (let r: usize = 0; r < rows; r += chain) {
      const part = min(chain, rows - r);
      if (r > 0) memory.fill(sums, 0, 2 * bytes);
      const at = start + r * stride;
      if (hasNear<T>() && near)
        sumRows<T, On>(sums, products, shift, dy + at, x + at, part, stride, width);
      else sumRows<T, Off>(sums, products, shift, dy + at, x + at, part, stride, width);
      gather<T>(total, sums, k, repeat);
      gather<T>(totalProducts, products, k, repeat);
    }
    for (let c: usize = 0; c < k; c++) {
      const m = load<f64>(mean + (from + c) * 8);
      const s = load<f64>(invstd + (from + c) * 8);
      const sum = load<f64>(total + c * 8);
      const lost = m - <f64>load<T>(shift + c * repeat * size);
      const product = load<f64>(totalProducts + c * 8) - lost * sum;
      const sumAt = sumDy + (from + c) * 8;
      const productAt = sumDyXhat + (from + c) * 8;
      store<f64>(sumAt, sum);
      store<f64>(productAt, product * s);
      // Past what float32 holds: once more in float64.
      if (!(abs(product) < Infinity)) {
        const at = start + c * repeat * size;
        exactGradientSums<T>(sumAt, productAt, dy + at, x + at, m, s, rows, stride, repeat * size);
      }
    }
  }
}
