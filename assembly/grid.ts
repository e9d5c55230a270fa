/**
 * The grid of an exact sum: src/core/exact-sum.ts tells what it is. A magic number added to a term
 * rounds it to a multiple of the grid's unit, and the multiple is in the last 51 bits.
 */

/** The magic number of terms up to `bound`; no number where they are too large, or none. */
export function magicOf(bound: f64): f64 {
  const exponent = reinterpret<i64>(bound) >> 52;
  if (exponent > 2042) return NaN;
  return reinterpret<f64>(((exponent + 4) << 52) | ((<i64>1) << 51));
}
