/** Stage `gradient-sums` by rows: see rows.ts for what a row is. */

import { exactGradientSums, gradientShiftOf } from './channel';
import { differ, hasNear, madd, Off, On } from './lanes';
import {
  arrayBytes,
  bothZero,
  channelsOfRun,
  gather,
  putSums,
  rowsOfChain,
  rowsOfSums,
  spread,
} from './rows';
import { scratch } from './scratch';

/** Puts the sums of dy and dy * (x - shift) over `rows` rows, for the positions of two vectors. */
function sumStrip<T, Near>(
  sums: usize,
  products: usize,
  h0: v128,
  h1: v128,
  g: usize,
  a: usize,
  rows: usize,
  stride: usize,
  fresh: bool,
): void {
  const zero = i64x2.splat(0);
  let s0 = zero;
  let s1 = zero;
  let q0 = zero;
  let q1 = zero;
  if (rows & 1) {
    s0 = v128.load(g, 0);
    s1 = v128.load(g, 16);
    q0 = v128.mul<T>(differ<T, Near>(v128.load(a, 0), h0), s0);
    q1 = v128.mul<T>(differ<T, Near>(v128.load(a, 16), h1), s1);
    a += stride;
    g += stride;
  }
  for (let pairs = rows >> 1; pairs > 0; pairs--) {
    const g0 = v128.load(g, 0);
    const g1 = v128.load(g, 16);
    const c0 = differ<T, Near>(v128.load(a, 0), h0);
    const c1 = differ<T, Near>(v128.load(a, 16), h1);
    a += stride;
    g += stride;
    const f0 = v128.load(g, 0);
    const f1 = v128.load(g, 16);
    const d0 = differ<T, Near>(v128.load(a, 0), h0);
    const d1 = differ<T, Near>(v128.load(a, 16), h1);
    a += stride;
    g += stride;
    s0 = v128.add<T>(s0, v128.add<T>(g0, f0));
    s1 = v128.add<T>(s1, v128.add<T>(g1, f1));
    q0 = v128.add<T>(q0, madd<T>(c0, g0, v128.mul<T>(d0, f0)));
    q1 = v128.add<T>(q1, madd<T>(c1, g1, v128.mul<T>(d1, f1)));
  }
  putSums<T>(sums, fresh, s0, s1);
  putSums<T>(products, fresh, q0, q1);
}

/** The same for all positions of a row, strip by strip. */
function sumRows<T>(
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
  for (let r: usize = 0; r < rows; r += tall) {
    const last = min(tall, rows - r);
    const fresh = r === 0;
    const g = dy + r * stride;
    const a = x + r * stride;
    for (let p: usize = 0; p < width; p += 32) {
      const h0 = v128.load(shift + p, 0);
      const h1 = v128.load(shift + p, 16);
      if (hasNear<T>() && bothZero(h0, h1)) {
        sumStrip<T, On>(sums + p, products + p, h0, h1, g + p, a + p, last, stride, fresh);
      } else {
        sumStrip<T, Off>(sums + p, products + p, h0, h1, g + p, a + p, last, stride, fresh);
      }
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
  const tall = rowsOfSums(rows, stride);
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
      sumRows<T>(sums, products, shift, dy + at, x + at, part, stride, width, tall);
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
