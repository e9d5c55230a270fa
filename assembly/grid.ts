/**
 * The grids of exact sums, two at a time; src/core/exact-sum.ts explains them. A magic number added
 * to a term rounds it to a multiple of the grid's unit; the multiple is in the last 51 bits.
 */

import { addTo } from './lanes';

/** The least unit, 2^-1071, and the largest power of two of a bound that has one: 2^1019. */
const LEAST: f64 = 4e-323;
const MOST: f64 = 5.617791046444737e306;
/** 2^52, and 2^62 in multiples of 2^26. */
const CARRIER: f64 = 4503599627370496;
const BIAS: f64 = 68719476736;

/** Bounds of magnitudes: their upper halves, infinity for NaN. */
export function ends(most: v128): v128 {
  const infinity = f64x2.splat(Infinity);
  const upper = v128.and(most, i64x2.splat((<i64>-1) << 32));
  return v128.bitselect(infinity, upper, f64x2.ne(upper, upper));
}

/** The powers of two of the bounds at `p`; 0 for subnormal bounds. */
export function powers(p: usize): v128 {
  return v128.and(v128.load(p), i64x2.splat(0x7ff0000000000000));
}

/** The units of the bounds at `p`; NaN for bounds that are too large. */
export function units(p: usize): v128 {
  const power = powers(p);
  const unit = f64x2.pmax(f64x2.mul(power, f64x2.splat(3.552713678800501e-15)), f64x2.splat(LEAST));
  return v128.or(unit, f64x2.gt(power, f64x2.splat(MOST)));
}

/** The magic numbers, 1.5 * 2^52 units, of bounds that are not too large. */
export function magics(p: usize): v128 {
  return f64x2.pmax(f64x2.mul(powers(p), f64x2.splat(24)), f64x2.splat(LEAST * 6755399441055744));
}

/**
 * Adds two sums of `rows` terms, which hold the bits of the magic numbers, to their words; or adds
 * only the first sum.
 */
export function putWords(
  words: usize,
  next: usize,
  sums: v128,
  magic: v128,
  rows: usize,
  isPair: bool,
): void {
  // The magic numbers are multiples of 2^51.
  const times = i32x4.mul(i64x2.shr_u(magic, 51), i32x4.splat(<i32>rows));
  // Positive, and so both words are numbers of 37 and 26 bits: the fractions of 2^52 and more.
  const integers = i64x2.add(i64x2.sub(sums, i64x2.shl(times, 51)), i64x2.splat((<i64>1) << 62));
  const carrier = f64x2.splat(CARRIER);
  const upper = v128.or(i64x2.shr_u(integers, 26), carrier);
  const lower = v128.or(v128.and(integers, i64x2.splat(0x3ffffff)), carrier);
  const high = f64x2.sub(upper, f64x2.splat(CARRIER + BIAS));
  const low = f64x2.sub(lower, carrier);
  if (isPair) {
    addTo(words, high);
    addTo(words + next, low);
  } else {
    store<f64>(words, load<f64>(words) + f64x2.extract_lane(high, 0));
    store<f64>(words + next, load<f64>(words + next) + f64x2.extract_lane(low, 0));
  }
}
