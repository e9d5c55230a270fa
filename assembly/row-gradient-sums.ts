/** Stage `gradient-sums` by rows: see rows.ts for what a row is. */

import { exactGradientSums, gradientShiftOf } from './channel';
import { differ, hasNear, madd, Off, On } from './lanes';
import {
  arrayBytes,
  channelsOfRun,
  gather,
  putSums,
  rowsOfChain,
  rowsOfStrip,
  spread,
} from './rows';
import { scratch } from './scratch';

/** Puts the sums of dy and dy * (x - shift) over `rows` rows, for each position. */
function sumRows<T, Near>(
  sums: usize,
  products: usize,
  shift: usize,
  dy: usize,
  x: usize,
  rows: usize,
  stride: usize,
  width: usize,
  tall: usize,
): void {
  const zero = i64x2.splat(0);
  for (let r: usize = 0; r < rows; r += tall) {
    const last = min(tall, rows - r);
    for (let p: usize = 0; p < width; p += 64) {
      const h0 = v128.load(shift + p, 0);
      const h1 = v128.load(shift + p, 16);
      const h2 = v128.load(shift + p, 32);
      const h3 = v128.load(shift + p, 48);
      let s0 = zero;
      let s1 = zero;
      let s2 = zero;
      let s3 = zero;
      let q0 = zero;
      let q1 = zero;
      let q2 = zero;
      let q3 = zero;
      let a = x + r * stride + p;
      let g = dy + r * stride + p;
      let left = last;
      do {
        const g0 = v128.load(g, 0);
        s0 = v128.add<T>(s0, g0);
        q0 = madd<T>(differ<T, Near>(v128.load(a, 0), h0), g0, q0);
        const g1 = v128.load(g, 16);
        s1 = v128.add<T>(s1, g1);
        q1 = madd<T>(differ<T, Near>(v128.load(a, 16), h1), g1, q1);
        const g2 = v128.load(g, 32);
        s2 = v128.add<T>(s2, g2);
        q2 = madd<T>(differ<T, Near>(v128.load(a, 32), h2), g2, q2);
        const g3 = v128.load(g, 48);
        s3 = v128.add<T>(s3, g3);
        q3 = madd<T>(differ<T, Near>(v128.load(a, 48), h3), g3, q3);
        a += stride;
        g += stride;
      } while (--left > 0);
      putSums<T>(sums + p, r === 0, s0, s1, s2, s3);
      putSums<T>(products + p, r === 0, q0, q1, q2, q3);
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
  const tall = max(4, min(8, rowsOfStrip(rows, stride)));
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
    memory.fill(total, 0, 16 * run);
    const width = k * repeat * size;
    const chain = rowsOfChain(near);
    for (let r: usize = 0; r < rows; r += chain) {
      const part = min(chain, rows - r);
      const at = start + r * stride;
      if (hasNear<T>() && near)
        sumRows<T, On>(sums, products, shift, dy + at, x + at, part, stride, width, tall);
      else sumRows<T, Off>(sums, products, shift, dy + at, x + at, part, stride, width, tall);
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
