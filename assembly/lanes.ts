/**
 * Vectors of 16 bytes over T, the element type of the build: 4 lanes of float32 or 2 of float64.
 *
 * No decorators on functions: Binaryen inlines functions this small, and the sources stay
 * TypeScript that formatters can read.
 */

import { firstOf, isHalf, lastOf, narrowed, oneElement } from './half';

/** Bytes of a number. */
export const SIZE: usize = sizeof<T>();

/** Bytes of an element of a tensor: half of SIZE if it has 16 bits. */
export const STORED: usize = sizeof<E>();

/** Bytes of the elements of one vector. */
export const WIDTH: usize = (16 / SIZE) * STORED;

/** Bytes of one turn of the unrolled loops: four vectors, one for each chain of sums. */
export const TURN: usize = 4 * WIDTH;

/** Flags of generic kernels, such as Near: channels near 0, whose shift or center is 0. */
export type On = i32;
export type Off = f32;

export function on<Flag>(): bool {
  return isInteger<Flag>();
}

/**
 * Turns before chains of sums are promoted to float64. A chain of equal numbers is rounded the same
 * way again and again: 25 of them are off by 4.4e-7 at worst. Values that are 0 or another number,
 * which is added in as many turns as it occurs, then leave M2 within 1e-6. Fewer turns if a shift
 * is subtracted: values far from 0 lie on a coarse grid, squares of multiples of a grid are 0 or 1
 * modulo 4, and a chain that is past 2^25 grid steps always rounds the 1 away.
 */
export function depthOf<Near>(): usize {
  return on<Near>() ? 25 : 8;
}

/**
 * a * b + c; one rounding if the engine has relaxed SIMD, otherwise two. A build with relaxed SIMD
 * has two marks in place of product and sum: fusing.ts of src/kernels/wasm/ tells why.
 */
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_max<T>(v128.relaxed_min<T>(a, b), c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}

/** True if code for channels near zero is worth its size: in float64 it is not. */
export function hasNear(): bool {
  return sizeof<T>() === 4;
}

/** x - center, or x itself in code for channels whose center is 0. */
export function differ<Near>(x: v128, center: v128): v128 {
  return on<Near>() ? x : v128.sub<T>(x, center);
}

/** (a + b) + (c + d) */
export function sumOf(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.add<T>(v128.add<T>(a, b), v128.add<T>(c, d));
}

/** The sum of two products. */
export function productOf(a: v128, b: v128, c: v128, d: v128): v128 {
  return madd(a, b, v128.mul<T>(c, d));
}

/** Two float64 lanes that add up to all lanes of `v`. */
export function promote(v: v128): v128 {
  if (sizeof<T>() === 8) return v;
  const high = v128.shuffle<i64>(v, v, 1, 0);
  return f64x2.add(f64x2.promote_low_f32x4(v), f64x2.promote_low_f32x4(high));
}

/** Two float64 that are T, in the first two lanes. Cut to 16 bits: see narrowed in half.ts. */
export function narrowPair(v: v128): v128 {
  if (sizeof<T>() === 8) return v;
  const narrow = f32x4.demote_f64x2_zero(v);
  if (STORED === SIZE) return narrow;
  return v128.bitselect(narrow, f32x4.splat(NaN), f32x4.eq(narrow, narrow));
}

/** The T of the first two lanes as float64. */
export function widePair(v: v128): v128 {
  return sizeof<T>() === 8 ? v : f64x2.promote_low_f32x4(v);
}

/** Loads two T into the first two lanes. */
export function loadPair(p: usize): v128 {
  return sizeof<T>() === 8 ? v128.load(p) : v128.load64_zero(p);
}

/** Stores the first two lanes. */
export function storePair(p: usize, v: v128): void {
  if (sizeof<T>() === 8) v128.store(p, v);
  else v128.store64_lane(p, v, 0);
}

/** The T at `p` and at `q` as float64. */
export function wideTwo(p: usize, q: usize): v128 {
  return f64x2.replace_lane(f64x2.splat(<f64>load<T>(p)), 1, <f64>load<T>(q));
}

/** Loads one T into all lanes. */
export function loadSplat(p: usize): v128 {
  return sizeof<T>() === 8 ? v128.load64_splat(p) : v128.load32_splat(p);
}

/** Sums of the two float64 at `p`, and of the two at `q`. */
export function pairSums(p: usize, q: usize): v128 {
  const a = v128.load(p);
  const b = v128.load(q);
  return f64x2.add(v128.shuffle<i64>(a, b, 0, 2), v128.shuffle<i64>(a, b, 1, 3));
}

/** Sum of the two float64 at `p`. */
export function pairSum(p: usize): f64 {
  return load<f64>(p) + load<f64>(p, 8);
}

/** Adds two float64 lanes to the two at `p`. */
export function addTo(p: usize, v: v128): void {
  v128.store(p, f64x2.add(v128.load(p), v));
}

/** Bytes of the elements that take `bytes` bytes as numbers. */
export function storedBytes(bytes: usize): usize {
  return STORED === SIZE ? bytes : bytes >> 1;
}

/** Loads vector 0 of a turn at `p`, as numbers. */
export function load0(p: usize): v128 {
  return isHalf() ? firstOf(v128.load(p)) : v128.load(p);
}

/** Loads vector 1. */
export function load1(p: usize): v128 {
  return isHalf() ? lastOf(v128.load(p)) : v128.load(p, 16);
}

/** Loads vector 2. */
export function load2(p: usize): v128 {
  return isHalf() ? firstOf(v128.load(p, 16)) : v128.load(p, 32);
}

/** Loads vector 3. */
export function load3(p: usize): v128 {
  return isHalf() ? lastOf(v128.load(p, 16)) : v128.load(p, 48);
}

/** Loads one element into lane 0, and zeros into the other lanes. */
export function loadOne(p: usize): v128 {
  if (isHalf()) return firstOf(oneElement(p));
  return sizeof<T>() === 8 ? v128.load64_zero(p) : v128.load32_zero(p);
}

/** Loads one element. */
export function valueAt(p: usize): T {
  return isHalf() ? v128.extract_lane<T>(loadOne(p), 0) : load<T>(p);
}

/** Stores numbers as vector 0 of the elements at `p`. */
export function store0(p: usize, v: v128): void {
  if (isHalf()) v128.store64_lane(p, narrowed(v, v), 0);
  else v128.store(p, v);
}

/** Stores numbers as vectors 0 and 1. */
export function store01(p: usize, a: v128, b: v128): void {
  if (isHalf()) {
    v128.store(p, narrowed(a, b));
  } else {
    v128.store(p, a);
    v128.store(p, b, 16);
  }
}

/** Stores numbers as vectors 2 and 3. */
export function store23(p: usize, a: v128, b: v128): void {
  if (isHalf()) {
    v128.store(p, narrowed(a, b), 16);
  } else {
    v128.store(p, a, 32);
    v128.store(p, b, 48);
  }
}

/** Stores lane 0. */
export function storeOne(p: usize, v: v128): void {
  if (isHalf()) v128.store16_lane(p, narrowed(v, v), 0);
  else if (sizeof<T>() === 8) v128.store64_lane(p, v, 0);
  else v128.store32_lane(p, v, 0);
}

/** Ones in the numbers of the last `stored` bytes (0 to WIDTH) of elements, zeros before them. */
export function lastLanes(stored: usize): v128 {
  const bytes = STORED === SIZE ? stored : stored << 1;
  const place = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return i8x16.ge_s(place, i8x16.splat(<i8>(16 - bytes)));
}
