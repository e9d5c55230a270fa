/**
 * The two 16-bit formats between memory and vectors of float32: bfloat16 (E = u16), the upper half of
 * a float32, and IEEE 754 binary16 (E = i16). Rounded to nearest, ties to even.
 */

/** True if elements have 16 bits. */
export function isHalf(): bool {
  return sizeof<E>() === 2;
}

/** Widens four bit patterns, in 32 bits each, to float32. */
export function widened(bits: v128): v128 {
  if (!isSigned<E>()) return i32x4.shl(bits, 16);
  // Exponent and fraction in place: too small by 2^112, subnormals included. Infinity and NaN,
  // which have the largest exponent, get float32's largest exponent instead.
  const magnitude = v128.and(bits, i32x4.splat(0x7fff));
  const scaled = f32x4.mul(i32x4.shl(magnitude, 13), f32x4.splat(reinterpret<f32>(0x77800000)));
  const special = v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x7bff)), i32x4.splat(0x7f800000));
  const sign = i32x4.shl(v128.xor(bits, magnitude), 16);
  return v128.or(v128.or(scaled, special), sign);
}

/**
 * Narrows two vectors of float32 to eight bit patterns. NaN keeps its upper bits: arithmetic on
 * elements makes no other NaN (see narrowPair in lanes.ts).
 */
export function narrowed(a: v128, b: v128): v128 {
  if (isSigned<E>()) return i16x8.narrow_i32x4_u(toHalf(a), toHalf(b));
  return i16x8.narrow_i32x4_u(upper(a), upper(b));
}

/** Returns the upper halves, rounded. */
function upper(v: v128): v128 {
  const last = v128.and(i32x4.shr_u(v, 16), i32x4.splat(1));
  return i32x4.shr_u(i32x4.add(i32x4.add(v, i32x4.splat(0x7fff)), last), 16);
}

/** Converts four float32 to float16 patterns, in 32 bits each. */
function toHalf(v: v128): v128 {
  const magnitude = v128.and(v, i32x4.splat(0x7fffffff));
  // Subnormals: the fraction's last bit is 2^-24, as the last bit of 0.5 is in float32.
  const magic = i32x4.splat(0x3f000000);
  const small = i32x4.sub(f32x4.add(magnitude, magic), magic);
  // Normal numbers: another exponent, rounded on the way; too large numbers become infinity.
  const last = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const moved = i32x4.add(i32x4.add(magnitude, i32x4.splat(0xc8000fff)), last);
  const large = i32x4.min_s(i32x4.shr_s(moved, 13), i32x4.splat(0x7c00));
  const finite = v128.bitselect(small, large, i32x4.lt_s(magnitude, i32x4.splat(0x38800000)));
  const nan = v128.and(f32x4.ne(v, v), i32x4.splat(0x7e00));
  const sign = i32x4.shl(i32x4.shr_u(v, 31), 15);
  return v128.or(v128.or(finite, nan), sign);
}

/** Widens `count` elements to float32, from `source` to `target`. */
export function widen(target: usize, source: usize, count: usize): void {
  const end = source + 2 * (count & ~3);
  for (; source < end; source += 8, target += 16) {
    v128.store(target, widened(v128.load_ext<u16>(source)));
  }
  for (let i = count & 3; i > 0; i--, source += 2, target += 4) {
    v128.store32_lane(target, widened(i32x4(<i32>load<u16>(source), 0, 0, 0)), 0);
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
