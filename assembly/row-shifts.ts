/** The shifts of sums by rows, for all positions of a row: channel.ts explains a shift. */

import { Call } from './call';
import { shiftOf } from './channel';
import { load0, load1, load2, load3, on, SIZE, STORED, storedBytes, TURN } from './lanes';
import { LINE, spread } from './rows';

/** Puts shiftOf of one vector of positions, from the sum and the bounds of 16 of `rows` rows. */
function putShift(at: usize, sum: v128, low: v128, high: v128, rows: usize): void {
  let mean = v128.mul<T>(sum, v128.splat<T>(<T>0.0625));
  // About 1.7 standard deviations, a little more than MOST has: see shiftOf.
  const most = v128.mul<T>(v128.sub<T>(high, low), v128.splat<T>(<T>0.5));
  // As in shiftOf: nothing is near if the values are few.
  if (rows >= 64) mean = v128.andnot(mean, v128.le<T>(v128.abs<T>(mean), most));
  v128.store(at, mean);
}

/**
 * Finds the shift of every position of a row of channels from sixteen rows, as shiftOf. By lines:
 * rows whole pages apart push each other out of the first-level cache.
 */
function shiftMoments(shift: usize, x: usize, rows: usize, stride: usize, width: usize): void {
  const end = shift + width;
  for (; shift < end; shift += LINE, x += TURN) {
    let s0 = load0(x);
    let s1 = load1(x);
    let s2 = load2(x);
    let s3 = load3(x);
    let l0 = s0;
    let l1 = s1;
    let l2 = s2;
    let l3 = s3;
    let h0 = s0;
    let h1 = s1;
    let h2 = s2;
    let h3 = s3;
    for (let i: usize = 1; i < 16; i++) {
      const row = x + ((i * rows) >> 4) * stride;
      const a = load0(row);
      const b = load1(row);
      const c = load2(row);
      const d = load3(row);
      s0 = v128.add<T>(s0, a);
      s1 = v128.add<T>(s1, b);
      s2 = v128.add<T>(s2, c);
      s3 = v128.add<T>(s3, d);
      l0 = v128.pmin<T>(l0, a);
      l1 = v128.pmin<T>(l1, b);
      l2 = v128.pmin<T>(l2, c);
      l3 = v128.pmin<T>(l3, d);
      h0 = v128.pmax<T>(h0, a);
      h1 = v128.pmax<T>(h1, b);
      h2 = v128.pmax<T>(h2, c);
      h3 = v128.pmax<T>(h3, d);
    }
    putShift(shift, s0, l0, h0, rows);
    putShift(shift + 16, s1, l1, h1, rows);
    putShift(shift + 32, s2, l2, h2, rows);
    putShift(shift + 48, s3, l3, h3, rows);
  }
}

/** Loads two or four of the channels' float64 numbers, as T. */
function narrow(p: usize): v128 {
  const low = v128.load(p);
  if (sizeof<T>() === 8) return low;
  const high = f32x4.demote_f64x2_zero(v128.load(p, 16));
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), high, 0, 2);
}

/** Finds the shifts of gradient sums, from four rows. */
function shiftGradients(
  shift: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  rows: usize,
  stride: usize,
  width: usize,
): void {
  const perVector = 16 / SIZE;
  for (let p: usize = 0; p < width; p += 16) {
    const m = narrow(mean);
    const far = v128.abs<T>(v128.mul<T>(m, narrow(invstd)));
    let most = v128.splat<T>(0);
    for (let i: usize = 0; i < 4; i++) {
      const value = load0(x + storedBytes(p) + ((i * rows) >> 2) * stride);
      most = v128.max<T>(most, v128.abs<T>(v128.sub<T>(value, m)));
    }
    const near = v128.and(
      v128.le<T>(far, v128.splat<T>(2)),
      v128.le<T>(v128.abs<T>(m), v128.mul<T>(most, v128.splat<T>(4))),
    );
    v128.store(shift + p, v128.andnot(m, near));
    mean += perVector * 8;
    invstd += perVector * 8;
  }
}

/** Writes the shifts of `channels` channels from `first` on to all their positions, at `shift`. */
export function putShifts<Gradient>(call: Call, shift: usize, first: usize, channels: usize): void {
  const rows = call.rows;
  const stride = call.stride;
  const bytes = call.values * STORED;
  const width = channels * call.values * SIZE;
  const x = call.x + first * bytes;
  if (call.values > 1) {
    for (let c: usize = 0; c < channels; c++) {
      spread(shift, c, call.values, shiftOf<Gradient>(call, first + c, x + c * bytes, bytes));
    }
  } else if (on<Gradient>()) {
    const means = call.mean + first * 8;
    shiftGradients(shift, x, means, call.invstd + first * 8, rows, stride, width);
  } else {
    shiftMoments(shift, x, rows, stride, width);
  }
}
