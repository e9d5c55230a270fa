/**
 * The bounds of exact sums that have every value as an atom of its own: see values.ts. Rows are
 * taken four at a time, whose positions' bounds are read and written once.
 */

import { givenShift } from './atoms';
import { Call } from './call';
import { ends } from './grid';
import { Off, On, on, SIZE } from './lanes';
import { scratch } from './scratch';

/** Rows that are handled at a time: rows whole pages apart push each other out of the cache. */
export const PART: usize = 4;

/** Whole rows of positions, for bounds, which have fewer numbers: shorter runs are fetched late. */
const WIDE: usize = 4096;
/** Their arrays: shifts, and for each position bounds, and the smallest: see `smaller`. */
const MOST: usize = WIDE + 128;
const PRODUCT_MOST: usize = 2 * MOST;
const LEAST: usize = 3 * MOST;

/** Float32 products that underflow are treated as numbers of this size. */
const LEAST_PRODUCT: f64 = 7e-43;

/** Writes the shifts of `k` positions; false: all are 0. */
export function putShifts(call: Call, arrays: usize, first: usize, k: usize): bool {
  let some: T = 0;
  for (let c: usize = 0; c < k; c++) {
    const shift = givenShift(call, first + c);
    store<T>(arrays + c * SIZE, shift);
    if (shift !== 0) some = shift;
  }
  return some !== 0;
}

/** The larger magnitudes, as integers: NaN is above infinity, which is above all numbers. */
function larger(most: v128, v: v128): v128 {
  const a = v128.abs<T>(v);
  if (sizeof<T>() === 4) return i32x4.max_s(most, a);
  return v128.bitselect(a, most, i64x2.gt_s(a, most));
}

/** The smaller magnitudes, as unsigned integers, less 1: 0 is the largest of all. */
function smaller(least: v128, v: v128): v128 {
  if (sizeof<T>() === 8) return least;
  return i32x4.min_u(least, i32x4.sub(v128.abs<T>(v), i32x4.splat(1)));
}

/** x - shift at `p`, or x. */
function vectorAt<Near>(p: usize, shift: v128): v128 {
  return on<Near>() ? v128.load(p) : v128.sub<T>(v128.load(p), shift);
}

/**
 * Raises the bounds of a vector of positions by PART rows (Whole) or by one; x at p, dy at g. Near:
 * all shifts are 0.
 */
function boundVector<Gradient, Near, Whole>(array: usize, p: usize, g: usize, stride: usize): void {
  const shift = on<Near>() ? i64x2.splat(0) : v128.load(array);
  const d0 = vectorAt<Near>(p, shift);
  const e0 = on<Gradient>() ? v128.load(g) : d0;
  let most = larger(v128.load(array, MOST), e0);
  let least = sizeof<T>() === 8 ? e0 : smaller(v128.load(array, LEAST), e0);
  let products = on<Gradient>()
    ? larger(v128.load(array, PRODUCT_MOST), v128.mul<T>(d0, e0))
    : shift;
  if (on<Whole>()) {
    const d1 = vectorAt<Near>(p + stride, shift);
    const e1 = on<Gradient>() ? v128.load(g + stride) : d1;
    p += 2 * stride;
    g += 2 * stride;
    const d2 = vectorAt<Near>(p, shift);
    const e2 = on<Gradient>() ? v128.load(g) : d2;
    const d3 = vectorAt<Near>(p + stride, shift);
    const e3 = on<Gradient>() ? v128.load(g + stride) : d3;
    most = larger(larger(larger(most, e1), e2), e3);
    least = smaller(smaller(smaller(least, e1), e2), e3);
    if (on<Gradient>()) {
      products = larger(larger(products, v128.mul<T>(d1, e1)), v128.mul<T>(d2, e2));
      products = larger(products, v128.mul<T>(d3, e3));
    }
  }
  v128.store(array, most, MOST);
  if (sizeof<T>() === 4) v128.store(array, least, LEAST);
  if (on<Gradient>()) v128.store(array, products, PRODUCT_MOST);
}

/** Raises the bounds by `rows` rows of `width` bytes. */
function boundRows<Gradient, Near>(
  arrays: usize,
  x: usize,
  dy: usize,
  width: usize,
  rows: usize,
  stride: usize,
): void {
  for (; rows >= PART; rows -= PART, x += PART * stride, dy += PART * stride) {
    for (let p: usize = 0; p < width; p += 16) {
      boundVector<Gradient, Near, On>(arrays + p, x + p, dy + p, stride);
    }
  }
  for (; rows > 0; rows--, x += stride, dy += stride) {
    for (let p: usize = 0; p < width; p += 16) {
      boundVector<Gradient, Off, Off>(arrays + p, x + p, dy + p, stride);
    }
  }
}

/** Numbers of type T at `p`, two of them from place `c` on, as float64. */
export function pairAt(p: usize, c: usize): v128 {
  if (sizeof<T>() === 8) return v128.load(p + c * 8);
  return f64x2.promote_low_f32x4(v128.load64_zero(p + c * 4));
}

/** Raises two bounds at `p`, or only the first. */
function raise(p: usize, bounds: v128, isPair: bool): void {
  const most = ends(i32x4.max_s(isPair ? v128.load(p) : v128.load64_zero(p), bounds));
  if (isPair) v128.store(p, most);
  else v128.store64_lane(p, most, 0);
}

function bounds<Gradient>(call: Call): void {
  const channels = call.channels;
  const stride = call.stride;
  const run = WIDE / SIZE;
  const arrays = scratch(LEAST + MOST);
  // If all bounds on d are known, only dy is read.
  const reach = on<Gradient>() ? 0 : call.invstd;
  const values = reach === 0 ? call.x : call.dy;
  for (let first: usize = 0; first < channels; first += run) {
    const k = min(run, channels - first);
    memory.fill(arrays + MOST, 0, 2 * MOST);
    memory.fill(arrays + LEAST, 255, k * SIZE);
    const isShifted = reach === 0 && putShifts(call, arrays, first, k);
    if (reach !== 0) memory.fill(arrays, 0, k * SIZE);
    const x = values + first * SIZE;
    const dy = call.dy + first * SIZE;
    if (isShifted) boundRows<Gradient, Off>(arrays, x, dy, k * SIZE, call.rows, stride);
    else boundRows<Gradient, On>(arrays, x, dy, k * SIZE, call.rows, stride);
    if (call.out !== 0) memory.copy(call.out + first * SIZE, arrays + LEAST, k * SIZE);
    for (let c: usize = 0, target = call.first + first * 8; c < k; c += 2, target += 16) {
      const most = pairAt(arrays + MOST, c);
      // Float64 products of float32 neither overflow nor underflow.
      let products = f64x2.mul(most, reach === 0 ? most : v128.load(reach + (first + c) * 8));
      if (on<Gradient>()) {
        const least = f64x2.splat(sizeof<T>() === 4 ? LEAST_PRODUCT : 0);
        products = f64x2.pmax(pairAt(arrays + PRODUCT_MOST, c), least);
      }
      raise(target, most, c + 1 < k);
      raise(target + 8 * channels, products, c + 1 < k);
    }
  }
}

/**
 * Raises `call.first` to the largest magnitudes of the terms. The products' are those of dy * d,
 * rounded to T, or the largest dy times `call.invstd`, if that has bounds on d. Leaves numbers for
 * `valueWords` at `call.out`, if that is not 0 and all rows are given at once.
 */
export function valueBounds(call: Call): void {
  if (call.dy === 0 || call.invstd !== 0) bounds<Off>(call);
  else bounds<On>(call);
}
