/**
 * Exact sums where every value is an atom of its own, since planes are shorter than a vector: the
 * terms are d = x - shift and d * d, or dy and dy * d, in float64. Rows of `channels` positions;
 * `call.mean` has their shifts, float64 (0: no shift). Each result has all sums, then all products.
 */

import { givenShift } from './atoms';
import { Call } from './call';
import { magicOf } from './grid';
import { Off, On, on, SIZE } from './lanes';
import { scratch } from './scratch';

/** Positions that are done at a time: what is kept of them fills a quarter of a first-level cache. */
const RUN: usize = 256;
/** Rows that are done at a time, so that all that was read of a line is used. */
const PART: usize = 8;
/** Rows until integer sums could overflow. */
const ROWS: usize = 4096;

/** Arrays of a run: shifts, then for each position float64: two magic numbers and two sums. */
const NEXT: usize = RUN * 8 + 64;
const MAGIC: usize = NEXT;
const PRODUCT_MAGIC: usize = 2 * NEXT;
const SUMS: usize = 3 * NEXT;
const PRODUCT_SUMS: usize = 4 * NEXT;

/** The larger magnitudes, as integers: NaN is above infinity, which is above all numbers. */
function larger(most: v128, v: v128): v128 {
  const a = v128.abs<T>(v);
  if (sizeof<T>() === 4) return i32x4.max_s(most, a);
  return v128.bitselect(a, most, i64x2.gt_s(a, most));
}

/** Raises the bounds of one vector of positions by `rows` rows, x at p and dy at g. */
function boundColumn<Gradient>(array: usize, p: usize, g: usize, rows: usize, stride: usize): void {
  const shift = v128.load(array);
  let most = v128.load(array, MAGIC);
  let products = v128.load(array, PRODUCT_MAGIC);
  for (; rows > 0; rows--) {
    const d = v128.sub<T>(v128.load(p), shift);
    if (on<Gradient>()) {
      const dy = v128.load(g);
      most = larger(most, dy);
      products = larger(products, v128.mul<T>(d, dy));
      g += stride;
    } else {
      most = larger(most, d);
    }
    p += stride;
  }
  v128.store(array, most, MAGIC);
  v128.store(array, on<Gradient>() ? products : v128.mul<T>(most, most), PRODUCT_MAGIC);
}

/** Raises the number at `p`; NaN is above all. */
function raise(p: usize, bound: f64): void {
  if (!(bound <= load<f64>(p))) store<f64>(p, bound);
}

function bounds<Gradient>(call: Call): void {
  const channels = call.channels;
  const stride = call.stride;
  const arrays = scratch(5 * NEXT);
  for (let first: usize = 0; first < channels; first += RUN) {
    const k = min(RUN, channels - first);
    memory.fill(arrays + MAGIC, 0, 2 * NEXT);
    for (let c: usize = 0; c < k; c++) store<T>(arrays + c * SIZE, givenShift(call, first + c));
    for (let r: usize = 0; r < call.rows; r += PART) {
      const part = min(PART, call.rows - r);
      for (let p: usize = 0; p < k * SIZE; p += 16) {
        const at = first * SIZE + r * stride + p;
        boundColumn<Gradient>(arrays + p, call.x + at, call.dy + at, part, stride);
      }
    }
    let target = call.first + first * 8;
    for (let c: usize = 0; c < k; c++, target += 8) {
      raise(target, <f64>load<T>(arrays + c * SIZE, MAGIC));
      const product = <f64>load<T>(arrays + c * SIZE, PRODUCT_MAGIC);
      // Float32 products that underflow are taken for numbers of this size.
      raise(target + 8 * channels, sizeof<T>() === 4 && product < 7e-43 ? 7e-43 : product);
    }
  }
}

/** Raises `call.first` to the largest magnitudes of the terms, those of products rounded to T. */
export function valueBounds(call: Call): void {
  if (call.dy === 0) bounds<Off>(call);
  else bounds<On>(call);
}

/** Adds two float64 terms to sums: a + magic has the integer in its bits. */
function addTerms(sum: v128, a: v128, magic: v128): v128 {
  return i64x2.add(sum, f64x2.add(a, magic));
}

/** The upper two float32 as float64. */
function upper(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0));
}

/** Adds one vector of each of `rows` rows, x at p and dy at g. */
function addColumn<Gradient>(
  array: usize,
  at: usize,
  p: usize,
  g: usize,
  rows: usize,
  stride: usize,
): void {
  const shift = v128.load(array);
  let s0 = v128.load(at, SUMS);
  let s1 = v128.load(at, SUMS + 16);
  let q0 = v128.load(at, PRODUCT_SUMS);
  let q1 = v128.load(at, PRODUCT_SUMS + 16);
  const m0 = v128.load(at, MAGIC);
  const m1 = v128.load(at, MAGIC + 16);
  const n0 = v128.load(at, PRODUCT_MAGIC);
  const n1 = v128.load(at, PRODUCT_MAGIC + 16);
  for (; rows > 0; rows--) {
    const d = v128.sub<T>(v128.load(p), shift);
    const e = on<Gradient>() ? v128.load(g) : d;
    if (sizeof<T>() === 4) {
      const d0 = f64x2.promote_low_f32x4(d);
      const d1 = upper(d);
      const e0 = on<Gradient>() ? f64x2.promote_low_f32x4(e) : d0;
      const e1 = on<Gradient>() ? upper(e) : d1;
      s0 = addTerms(s0, e0, m0);
      s1 = addTerms(s1, e1, m1);
      q0 = addTerms(q0, f64x2.mul(d0, e0), n0);
      q1 = addTerms(q1, f64x2.mul(d1, e1), n1);
    } else {
      s0 = addTerms(s0, e, m0);
      q0 = addTerms(q0, f64x2.mul(d, e), n0);
    }
    p += stride;
    if (on<Gradient>()) g += stride;
  }
  v128.store(at, s0, SUMS);
  v128.store(at, q0, PRODUCT_SUMS);
  if (sizeof<T>() === 8) return;
  v128.store(at, s1, SUMS + 16);
  v128.store(at, q1, PRODUCT_SUMS + 16);
}

/** Adds the integers of a sum of `rows` terms to its two words. */
function addWords(words: usize, next: usize, sum: i64, magic: f64, rows: usize): void {
  const integer = sum - <i64>rows * reinterpret<i64>(magic);
  store<f64>(words, load<f64>(words) + <f64>(integer >> 26));
  store<f64>(words + next, load<f64>(words + next) + <f64>(integer & 0x3ffffff));
}

function words<Gradient>(call: Call): void {
  const channels = call.channels;
  const stride = call.stride;
  const arrays = scratch(5 * NEXT);
  const next = 16 * channels;
  for (let first: usize = 0; first < channels; first += RUN) {
    const k = min(RUN, channels - first);
    for (let c: usize = 0; c < k; c++) {
      const bound = call.first + (first + c) * 8;
      store<T>(arrays + c * SIZE, givenShift(call, first + c));
      store<f64>(arrays + c * 8, magicOf(load<f64>(bound)), MAGIC);
      store<f64>(arrays + c * 8, magicOf(load<f64>(bound + 8 * channels)), PRODUCT_MAGIC);
    }
    for (let from: usize = 0; from < call.rows; from += ROWS) {
      const rows = min(ROWS, call.rows - from);
      memory.fill(arrays + SUMS, 0, 2 * NEXT);
      const start = first * SIZE + from * stride;
      for (let r: usize = 0; r < rows; r += PART) {
        const part = min(PART, rows - r);
        for (let p: usize = 0; p < k * SIZE; p += 16) {
          const at = start + r * stride + p;
          const dy = on<Gradient>() ? call.dy + at : 0;
          addColumn<Gradient>(arrays + p, arrays + (p / SIZE) * 8, call.x + at, dy, part, stride);
        }
      }
      for (let c: usize = 0, a = arrays; c < k; c++, a += 8) {
        const target = call.second + (first + c) * 8;
        addWords(target, next, load<i64>(a, SUMS), load<f64>(a, MAGIC), rows);
        const product = target + 8 * channels;
        addWords(product, next, load<i64>(a, PRODUCT_SUMS), load<f64>(a, PRODUCT_MAGIC), rows);
      }
    }
  }
}

/** Adds the words of the terms' sums to `call.second`, on the grids of the bounds at `call.first`. */
export function valueWords(call: Call): void {
  if (call.dy === 0) words<Off>(call);
  else words<On>(call);
}
