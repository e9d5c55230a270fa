/** Stage `moments` by rows: see rows.ts for what a row is, plane-moments.ts for the arithmetic. */

import { exactMoments, shiftOf, sound } from './channel';
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

/** Puts the sums of x - shift and its square over `rows` rows, for the positions of two vectors. */
function momentStrip<T, Near>(
  sums: usize,
  squares: usize,
  h0: v128,
  h1: v128,
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
    s0 = differ<T, Near>(v128.load(a, 0), h0);
    s1 = differ<T, Near>(v128.load(a, 16), h1);
    q0 = v128.mul<T>(s0, s0);
    q1 = v128.mul<T>(s1, s1);
    a += stride;
  }
  for (let pairs = rows >> 1; pairs > 0; pairs--) {
    const c0 = differ<T, Near>(v128.load(a, 0), h0);
    const c1 = differ<T, Near>(v128.load(a, 16), h1);
    a += stride;
    const d0 = differ<T, Near>(v128.load(a, 0), h0);
    const d1 = differ<T, Near>(v128.load(a, 16), h1);
    a += stride;
    s0 = v128.add<T>(s0, v128.add<T>(c0, d0));
    s1 = v128.add<T>(s1, v128.add<T>(c1, d1));
    q0 = v128.add<T>(q0, madd<T>(c0, c0, v128.mul<T>(d0, d0)));
    q1 = v128.add<T>(q1, madd<T>(c1, c1, v128.mul<T>(d1, d1)));
  }
  putSums<T>(sums, fresh, s0, s1);
  putSums<T>(squares, fresh, q0, q1);
}

/** The same for all positions of a row, strip by strip. */
function momentRows<T>(
  sums: usize,
  squares: usize,
  shift: usize,
  x: usize,
  rows: usize,
  stride: usize,
  width: usize,
  tall: usize,
): void {
  for (let r: usize = 0; r < rows; r += tall) {
    const start = x + r * stride;
    const last = min(tall, rows - r);
    const fresh = r === 0;
    for (let p: usize = 0; p < width; p += 32) {
      const h0 = v128.load(shift + p, 0);
      const h1 = v128.load(shift + p, 16);
      if (hasNear<T>() && bothZero(h0, h1)) {
        momentStrip<T, On>(sums + p, squares + p, h0, h1, start + p, last, stride, fresh);
      } else {
        momentStrip<T, Off>(sums + p, squares + p, h0, h1, start + p, last, stride, fresh);
      }
    }
  }
}

/** shiftOf of every position of a row, from sixteen rows. */
function shiftRows<T>(shift: usize, x: usize, rows: usize, stride: usize, width: usize): void {
  for (let p: usize = 0; p < width; p += 16) {
    let low = v128.load(x + p);
    let high = low;
    let sum = i64x2.splat(0);
    for (let i: usize = 0; i < 16; i++) {
      const value = v128.load(x + p + ((i * rows) >> 4) * stride);
      sum = v128.add<T>(sum, value);
      low = v128.pmin<T>(low, value);
      high = v128.pmax<T>(high, value);
    }
    v128.store(shift + p, v128.mul<T>(sum, v128.splat<T>(<T>0.0625)));
    const half = v128.mul<T>(v128.sub<T>(high, low), v128.splat<T>(<T>0.5));
    const near = v128.le<T>(v128.abs<T>(v128.load(shift + p)), half);
    // As shiftOf: nothing is near where the values are few.
    if (rows >= 64) v128.store(shift + p, v128.andnot(v128.load(shift + p), near));
  }
}

/** Whether all shifts of a run are 0. */
function nearZero<T>(shift: usize, channels: usize, repeat: usize): bool {
  for (let c: usize = 0; c < channels; c++) {
    if (load<T>(shift + c * repeat * sizeof<T>()) !== 0) return false;
  }
  return true;
}

/**
 * Writes mean and M2 (float64) of `channels` channels. x: aligned to T, `rows` rows > 0, `stride`
 * bytes apart; `repeat` values of each channel side by side.
 */
export function rowMoments<T>(
  mean: usize,
  m2: usize,
  x: usize,
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
  const squares = sums + bytes;
  const total = squares + bytes;
  const totalSquares = total + 8 * run;
  const count = <f64>rows * <f64>repeat;
  for (let from: usize = 0; from < channels; from += run) {
    const k = min(run, channels - from);
    const start = x + from * repeat * size;
    if (repeat === 1) {
      shiftRows<T>(shift, start, rows, stride, k * size);
    } else {
      for (let c: usize = 0; c < k; c++) {
        const value = shiftOf<T>(start + c * repeat * size, rows, stride, repeat * size);
        spread<T>(shift, c, repeat, value);
      }
    }
    for (let attempt = 0; attempt < 2; attempt++) {
      memory.fill(total, 0, 16 * run);
      const near = nearZero<T>(shift, k, repeat);
      const chain = rowsOfChain(near);
      for (let r: usize = 0; r < rows; r += chain) {
        const part = min(chain, rows - r);
        const at = start + r * stride;
        momentRows<T>(sums, squares, shift, at, part, stride, k * repeat * size, tall);
        gather<T>(total, sums, k, repeat);
        gather<T>(totalSquares, squares, k, repeat);
      }
      let good = true;
      for (let c: usize = 0; c < k; c++) {
        const sum = load<f64>(total + c * 8);
        if (!sound<T>(count, sum, load<f64>(totalSquares + c * 8))) good = false;
      }
      if (good || attempt === 1) break;
      // The sampled values misled: once more, from the means that came out.
      for (let c: usize = 0; c < k; c++) {
        const value = <f64>load<T>(shift + c * repeat * size) + load<f64>(total + c * 8) / count;
        spread<T>(shift, c, repeat, <T>value);
      }
    }
    for (let c: usize = 0; c < k; c++) {
      const sum = load<f64>(total + c * 8);
      const square = load<f64>(totalSquares + c * 8);
      const meanAt = mean + (from + c) * 8;
      const m2At = m2 + (from + c) * 8;
      const column = start + c * repeat * size;
      if (sound<T>(count, sum, square)) {
        store<f64>(meanAt, <f64>load<T>(shift + c * repeat * size) + sum / count);
        store<f64>(m2At, square - (sum / count) * sum);
      } else {
        exactMoments<T>(meanAt, m2At, column, rows, stride, repeat * size);
      }
    }
  }
}
