/**
 * The two 16-bit formats between memory and vectors of float32: bfloat16 (E = u16), the upper half of
 * a float32, and IEEE 754 binary16 (E = i16). Rounded to nearest, ties to even.
 */

/** True if elements have 16 bits. */
export function isHalf(): bool {
  return sizeof<E>() === 2;
}

/** Widens the first four of eight elements to float32. */
export function firstOf(elements: v128): v128 {
  const lower = lowerHalves(elements);
  return scaled(v128.shuffle<i16>(lower, upperHalves(elements), 0, 8, 1, 9, 2, 10, 3, 11));
}

/** Widens the last four of eight elements. */
export function lastOf(elements: v128): v128 {
  const lower = lowerHalves(elements);
  return scaled(v128.shuffle<i16>(lower, upperHalves(elements), 4, 12, 5, 13, 6, 14, 7, 15));
}

/** Sign, exponent and the fraction's upper bits of float32, of eight elements. */
function upperHalves(elements: v128): v128 {
  if (!isSigned<E>()) return elements;
  // The exponent of float16 in its place; float32's largest exponent for float16's largest, which
  // infinity and NaN have.
  const moved = v128.and(i16x8.shr_s(elements, 3), i16x8.splat(-0x7001));
  const magnitude = v128.and(elements, i16x8.splat(0x7fff));
  const isSpecial = i16x8.gt_s(magnitude, i16x8.splat(0x7bff));
  return v128.or(moved, v128.and(isSpecial, i16x8.splat(0x7000)));
}

/** The fraction's lower bits. */
function lowerHalves(elements: v128): v128 {
  return isSigned<E>() ? i16x8.shl(elements, 13) : i64x2.splat(0);
}

/** Makes up for exponents of float16, which are 112 less; this makes numbers of subnormals, too. */
function scaled(v: v128): v128 {
  return isSigned<E>() ? f32x4.mul(v, f32x4.splat(reinterpret<f32>(0x77800000))) : v;
}

/**
 * Narrows two vectors of float32 to eight elements. NaN of bfloat16 keeps its upper bits:
 * arithmetic on elements makes no other NaN (see narrowPair in lanes.ts).
 */
export function narrowed(a: v128, b: v128): v128 {
  if (!isSigned<E>()) return i16x8.narrow_i32x4_u(upper(a), upper(b));
  // Saturated, so that NaN is 0x7fff, and numbers with a sign are -0x8000.
  const magnitude = i16x8.narrow_i32x4_s(toHalf(a), toHalf(b));
  return v128.or(magnitude, v128.and(i16x8.narrow_i32x4_s(a, b), i16x8.splat(-0x8000)));
}

/** Returns the upper halves, rounded. */
function upper(v: v128): v128 {
  const last = v128.and(i32x4.shr_u(v, 16), i32x4.splat(1));
  return i32x4.shr_u(i32x4.add(i32x4.add(v, i32x4.splat(0x7fff)), last), 16);
}

/**
 * Converts four magnitudes to float16 in 32 bits each; NaN to more than 0x7fff. A power of two that
 * is 2^13 times as large, but 2^-1 at least, is added: this rounds to float16's last bit, and the
 * sum holds the fraction with its leading 1, if it has one, in its last 12 bits.
 */
function toHalf(v: v128): v128 {
  // Larger numbers become infinity; NaN stays.
  const magnitude = v128.pmin<f32>(f32x4.abs(v), f32x4.splat(65536));
  const power = v128.and(magnitude, i32x4.splat(0x7f800000));
  const magic = i32x4.add(i32x4.max_s(power, i32x4.splat(0x38800000)), i32x4.splat(0x06800000));
  const sum = f32x4.add(magnitude, magic);
  // The exponent is in the upper half from bit 7 on, and goes to bit 10.
  const both = i32x4.dot_i16x8_s(sum, i32x4.splat(0x80001));
  return i32x4.sub(both, i32x4.splat(126 << 10));
}

/** Loads one element, and zeros. */
export function oneElement(p: usize): v128 {
  return i32x4(<i32>load<u16>(p), 0, 0, 0);
}

/** Widens `count` elements to float32, from `source` to `target`. */
export function widen(target: usize, source: usize, count: usize): void {
  const end = source + 2 * (count & ~3);
  for (; source < end; source += 8, target += 16) {
    v128.store(target, firstOf(v128.load64_zero(source)));
  }
  for (let i = count & 3; i > 0; i--, source += 2, target += 4) {
    v128.store32_lane(target, firstOf(oneElement(source)), 0);
  }
}

/** Narrows float32 to elements. */
export function narrow(target: usize, source: usize, count: usize): void {
  const end = source + 4 * (count & ~3);
  for (; source < end; source += 16, target += 8) {
    const v = v128.load(source);
    v128.store64_lane(target, narrowed(v, v), 0);
  }
  for (let i = count & 3; i > 0; i--, source += 4, target += 2) {
    const v = v128.load32_zero(source);
    v128.store16_lane(target, narrowed(v, v), 0);
  }
}
