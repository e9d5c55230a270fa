/**
 * Sums over planes that are too short for a loop of their own: several samples at once, channel by
 * channel. K says how many: i32 four, i16 two. Only float32, whose code is worth its size.
 */

import { madd } from './lanes';

/** Bytes of a plane until sums over several planes are promoted: chains in which every turn adds. */
export const CHAIN: usize = 16 * 16;

/** Whether planes are no longer than one chain. */
export function isSmall<T>(plane: usize): bool {
  return sizeof<T>() === 4 && plane < CHAIN;
}

/** Whether four planes at once, chain by chain, are faster than each by itself. */
export function isMedium<T>(plane: usize): bool {
  return sizeof<T>() === 4 && plane < 1024 && (plane & 15) === 0;
}

/** Sum of the first K. */
export function sumOf<T, K>(a: v128, b: v128, c: v128, d: v128): v128 {
  if (sizeof<K>() === 2) return v128.add<T>(a, b);
  return v128.add<T>(v128.add<T>(a, b), v128.add<T>(c, d));
}

/** Sum of the squares of the first K. */
export function squareOf<T, K>(a: v128, b: v128, c: v128, d: v128): v128 {
  const low = madd<T>(a, a, v128.mul<T>(b, b));
  if (sizeof<K>() === 2) return low;
  return v128.add<T>(low, madd<T>(c, c, v128.mul<T>(d, d)));
}
