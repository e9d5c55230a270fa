/**
 * Exact sums with every value as an atom of its own, since planes are shorter than a vector: the
 * terms are d = x - shift and d * d, or dy and dy * d, in float64. Rows of `channels` positions;
 * `call.mean` has their shifts, float64 (0: no shift). Each result has all sums, then all products.
 */

import { Call } from './call';
import { magics, powers, putWords } from './grid';
import { Off, On, on, SIZE } from './lanes';
import { scratch } from './scratch';
import { PART, pairAt, putShifts } from './value-bounds';

/** Positions that are handled at a time: their numbers fill half of a first-level cache of 32 KB. */
const RUN: usize = 512;
/** Most rows before integer sums could overflow. */
const ROWS: usize = 4096;

/** Arrays of a run: shifts, then for each position float64: two magic numbers, two sums. */
const NEXT: usize = RUN * 8 + 64;
const MAGIC: usize = NEXT;
const PRODUCT_MAGIC: usize = 2 * NEXT;
const SUMS: usize = 3 * NEXT;
const PRODUCT_SUMS: usize = 4 * NEXT;
const ARRAYS: usize = 5 * NEXT;

/** Adds two float64 terms to sums: a + magic has the integer in its bits. */
function addTerms(sum: v128, a: v128, magic: v128): v128 {
  return i64x2.add(sum, f64x2.add(a, magic));
}

/** x - shift at `p`, two numbers in float64. */
function differenceAt<Near>(p: usize, shift: v128): v128 {
  const x = pairAt(p, 0);
  return on<Near>() ? x : f64x2.sub(x, shift);
}

/**
 * Adds two positions of PART rows (Whole), or of one, x at p and dy at g. Plain: first terms are
 * multiples of their unit, so that four of them are added before the magic number.
 */
function addPositions<Gradient, Near, Plain, Whole>(
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
  const sums = v128.load(at, SUMS);
  let sum = on<Plain>() ? e0 : addTerms(sums, e0, magic);
  let products = addTerms(v128.load(at, PRODUCT_SUMS), f64x2.mul(d0, e0), productMagic);
  if (on<Whole>()) {
    const d1 = differenceAt<Near>(p + stride, shift);
    const e1 = on<Gradient>() ? pairAt(g + stride, 0) : d1;
    sum = on<Plain>() ? f64x2.add(e0, e1) : addTerms(sum, e1, magic);
    products = addTerms(products, f64x2.mul(d1, e1), productMagic);
    p += 2 * stride;
    g += 2 * stride;
    const d2 = differenceAt<Near>(p, shift);
    const e2 = on<Gradient>() ? pairAt(g, 0) : d2;
    if (!on<Plain>()) sum = addTerms(sum, e2, magic);
    products = addTerms(products, f64x2.mul(d2, e2), productMagic);
    const d3 = differenceAt<Near>(p + stride, shift);
    const e3 = on<Gradient>() ? pairAt(g + stride, 0) : d3;
    sum = on<Plain>()
      ? addTerms(sums, f64x2.add(sum, f64x2.add(e2, e3)), magic)
      : addTerms(sum, e3, magic);
    products = addTerms(products, f64x2.mul(d3, e3), productMagic);
  }
  v128.store(at, sum, SUMS);
  v128.store(at, products, PRODUCT_SUMS);
}

/** Adds `rows` rows of `width` bytes. */
function addRows<Gradient, Near, Plain>(
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
      addPositions<Gradient, Near, Plain, On>(arrays + p, at, x + p, dy + p, stride);
    }
  }
  for (; rows > 0; rows--, x += stride, dy += stride) {
    let at = arrays;
    for (let p: usize = 0; p < width; p += 2 * SIZE, at += 16) {
      addPositions<Gradient, Off, Off, Off>(arrays + p, at, x + p, dy + p, stride);
    }
  }
}

/**
 * True if all first terms of `k` positions are multiples of their units: if none is smaller than
 * 2^-25 of the power of two of its bound, since float32 has 24 digits. `least` has the smallest.
 */
function arePlain(least: usize, bounds: usize, k: usize): bool {
  const scale = f64x2.splat(33554432);
  let isSmall = i64x2.splat(0);
  for (let c: usize = 0; c < k; c += 2) {
    const small = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(least + c * 4)), scale);
    isSmall = v128.or(isSmall, f64x2.lt(small, powers(bounds + c * 8)));
  }
  return !v128.any_true(isSmall);
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
    const isPlain =
      sizeof<T>() === 4 &&
      call.out !== 0 &&
      (on<Gradient>() || !isShifted) &&
      arePlain(call.out + first * 4, call.first + first * 8, k);
    for (let from: usize = 0; from < call.rows; from += ROWS) {
      const rows = min(ROWS, call.rows - from);
      const terms = isPlain ? rows / PART + (rows & (PART - 1)) : rows;
      memory.fill(arrays + SUMS, 0, 2 * NEXT);
      const at = first * SIZE + from * stride;
      const x = call.x + at;
      const dy = call.dy + at;
      if (isShifted) {
        if (on<Gradient>() && isPlain)
          addRows<Gradient, Off, On>(arrays, x, dy, k * SIZE, rows, stride);
        else addRows<Gradient, Off, Off>(arrays, x, dy, k * SIZE, rows, stride);
      } else if (isPlain) addRows<Gradient, On, On>(arrays, x, dy, k * SIZE, rows, stride);
      else addRows<Gradient, On, Off>(arrays, x, dy, k * SIZE, rows, stride);
      for (let c: usize = 0, target = call.second + first * 8; c < k; c += 2, target += 16) {
        const p = arrays + c * 8;
        const isPair = c + 1 < k;
        putWords(target, next, v128.load(p, SUMS), v128.load(p, MAGIC), terms, isPair);
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
