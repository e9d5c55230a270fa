/**
 * Exact sums with every value as an atom of its own, since planes are shorter than a vector: the
 * terms are d = x - shift and d * d, or dy and dy * d, in float64. Rows of `channels` positions;
 * `call.mean` has their shifts, float64 (0: no shift). Each result has all sums, then all products.
 */

import { givenShift } from './atoms';
import { Call } from './call';
import { ends, magics, putWords } from './grid';
import { Off, On, on, SIZE } from './lanes';
import { scratch } from './scratch';

/** Positions that are handled at a time: their numbers fill a quarter of a first-level cache. */
const RUN: usize = 256;
/** Rows that are handled at a time: rows whole pages apart push each other out of that cache. */
const PART: usize = 4;
/** Most rows before integer sums could overflow. */
const ROWS: usize = 4096;

/** Arrays of a run: shifts, then for each position float64: two bounds or magic numbers, two sums. */
const NEXT: usize = RUN * 8 + 64;
const MAGIC: usize = NEXT;
const PRODUCT_MAGIC: usize = 2 * NEXT;
const SUMS: usize = 3 * NEXT;
const PRODUCT_SUMS: usize = 4 * NEXT;
const ARRAYS: usize = 5 * NEXT;

/** Float32 products that underflow are treated as numbers of this size. */
const LEAST_PRODUCT: f64 = 7e-43;

/** Writes the shifts of `k` positions; false: all are 0. */
function putShifts(call: Call, arrays: usize, first: usize, k: usize): bool {
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
  let most = larger(v128.load(array, MAGIC), e0);
  let products = on<Gradient>()
    ? larger(v128.load(array, PRODUCT_MAGIC), v128.mul<T>(d0, e0))
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
    if (on<Gradient>()) {
      products = larger(larger(products, v128.mul<T>(d1, e1)), v128.mul<T>(d2, e2));
      products = larger(products, v128.mul<T>(d3, e3));
    }
  }
  v128.store(array, most, MAGIC);
  if (on<Gradient>()) v128.store(array, products, PRODUCT_MAGIC);
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
function pairAt(p: usize, c: usize): v128 {
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
  const arrays = scratch(ARRAYS);
  // If all bounds on d are known, only dy is read.
  const reach = on<Gradient>() ? 0 : call.invstd;
  const values = reach === 0 ? call.x : call.dy;
  for (let first: usize = 0; first < channels; first += RUN) {
    const k = min(RUN, channels - first);
    memory.fill(arrays + MAGIC, 0, 2 * NEXT);
    const isShifted = reach === 0 && putShifts(call, arrays, first, k);
    if (reach !== 0) memory.fill(arrays, 0, k * SIZE);
    const x = values + first * SIZE;
    const dy = call.dy + first * SIZE;
    if (isShifted) boundRows<Gradient, Off>(arrays, x, dy, k * SIZE, call.rows, stride);
    else boundRows<Gradient, On>(arrays, x, dy, k * SIZE, call.rows, stride);
    for (let c: usize = 0, target = call.first + first * 8; c < k; c += 2, target += 16) {
      const most = pairAt(arrays + MAGIC, c);
      // Float64 products of float32 neither overflow nor underflow.
      let products = f64x2.mul(most, reach === 0 ? most : v128.load(reach + (first + c) * 8));
      if (on<Gradient>()) {
        const least = f64x2.splat(sizeof<T>() === 4 ? LEAST_PRODUCT : 0);
        products = f64x2.pmax(pairAt(arrays + PRODUCT_MAGIC, c), least);
      }
      raise(target, most, c + 1 < k);
      raise(target + 8 * channels, products, c + 1 < k);
    }
  }
}

/**
 * Raises `call.first` to the largest magnitudes of the terms. The products' are those of dy * d,
 * rounded to T, or the largest dy times `call.invstd`, if that has bounds on d.
 */
export function valueBounds(call: Call): void {
  if (call.dy === 0 || call.invstd !== 0) bounds<Off>(call);
  else bounds<On>(call);
}

/** Adds two float64 terms to sums: a + magic has the integer in its bits. */
function addTerms(sum: v128, a: v128, magic: v128): v128 {
  return i64x2.add(sum, f64x2.add(a, magic));
}

/** x - shift at `p`, two numbers in float64. */
function differenceAt<Near>(p: usize, shift: v128): v128 {
  const x = pairAt(p, 0);
  return on<Near>() ? x : f64x2.sub(x, shift);
}

/** Adds two positions of PART rows (Whole), or of one, x at p and dy at g. */
function addPositions<Gradient, Near, Whole>(
  shifts: usize,
  at: usize,
  p: usize,
  g: usize,
  stride: usize,
): void {
  const shift = on<Near>() ? i64x2.splat(0) : pairAt(shifts, 0);
  const magic = v128.load(at, MAGIC);
  const productMagic = v128.load(at, PRODUCT_MAGIC);
  const d0 = differenceAt<Near>(p, shift);
  const e0 = on<Gradient>() ? pairAt(g, 0) : d0;
  let sum = addTerms(v128.load(at, SUMS), e0, magic);
  let products = addTerms(v128.load(at, PRODUCT_SUMS), f64x2.mul(d0, e0), productMagic);
  if (on<Whole>()) {
    const d1 = differenceAt<Near>(p + stride, shift);
    const e1 = on<Gradient>() ? pairAt(g + stride, 0) : d1;
    sum = addTerms(sum, e1, magic);
    products = addTerms(products, f64x2.mul(d1, e1), productMagic);
    p += 2 * stride;
    g += 2 * stride;
    const d2 = differenceAt<Near>(p, shift);
    const e2 = on<Gradient>() ? pairAt(g, 0) : d2;
    sum = addTerms(sum, e2, magic);
    products = addTerms(products, f64x2.mul(d2, e2), productMagic);
    const d3 = differenceAt<Near>(p + stride, shift);
    const e3 = on<Gradient>() ? pairAt(g + stride, 0) : d3;
    sum = addTerms(sum, e3, magic);
    products = addTerms(products, f64x2.mul(d3, e3), productMagic);
  }
  v128.store(at, sum, SUMS);
  v128.store(at, products, PRODUCT_SUMS);
}

/** Adds `rows` rows of `width` bytes. */
function addRows<Gradient, Near>(
  arrays: usize,
  x: usize,
  dy: usize,
  width: usize,
  rows: usize,
  stride: usize,
): void {
  for (; rows >= PART; rows -= PART, x += PART * stride, dy += PART * stride) {
    let at = arrays;
    for (let p: usize = 0; p < width; p += 2 * SIZE, at += 16) {
      addPositions<Gradient, Near, On>(arrays + p, at, x + p, dy + p, stride);
    }
  }
  for (; rows > 0; rows--, x += stride, dy += stride) {
    let at = arrays;
    for (let p: usize = 0; p < width; p += 2 * SIZE, at += 16) {
      addPositions<Gradient, Off, Off>(arrays + p, at, x + p, dy + p, stride);
    }
  }
}

function words<Gradient>(call: Call): void {
  const channels = call.channels;
  const stride = call.stride;
  const arrays = scratch(ARRAYS);
  const next = 16 * channels;
  for (let first: usize = 0; first < channels; first += RUN) {
    const k = min(RUN, channels - first);
    const isShifted = putShifts(call, arrays, first, k);
    for (let c: usize = 0, bound = call.first + first * 8; c < k; c += 2, bound += 16) {
      v128.store(arrays + c * 8, magics(bound), MAGIC);
      v128.store(arrays + c * 8, magics(bound + 8 * channels), PRODUCT_MAGIC);
    }
    for (let from: usize = 0; from < call.rows; from += ROWS) {
      const rows = min(ROWS, call.rows - from);
      memory.fill(arrays + SUMS, 0, 2 * NEXT);
      const at = first * SIZE + from * stride;
      if (isShifted) {
        addRows<Gradient, Off>(arrays, call.x + at, call.dy + at, k * SIZE, rows, stride);
      } else {
        addRows<Gradient, On>(arrays, call.x + at, call.dy + at, k * SIZE, rows, stride);
      }
      for (let c: usize = 0, target = call.second + first * 8; c < k; c += 2, target += 16) {
        const p = arrays + c * 8;
        const isPair = c + 1 < k;
        putWords(target, next, v128.load(p, SUMS), v128.load(p, MAGIC), rows, isPair);
        const products = v128.load(p, PRODUCT_SUMS);
        const magic = v128.load(p, PRODUCT_MAGIC);
        putWords(target + 8 * channels, next, products, magic, rows, isPair);
      }
    }
  }
}

/** Adds the words of the terms' sums to `call.second`, on the grids of the bounds at `call.first`. */
export function valueWords(call: Call): void {
  if (call.dy === 0) words<Off>(call);
  else words<On>(call);
}
