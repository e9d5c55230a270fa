/**
 * Sums over planes that are too short for a loop of their own: several samples at once, channel by
 * channel. K says how many: i32 four, i16 two. Only float32, whose code is worth its size.
 */

import { madd } from './lanes';

/** Whether sums go over two planes at once. */
export function isSmall<T>(plane: usize): bool {
  return sizeof<T>() === 4 && plane < 64 * sizeof<T>();
}

/**
 * Whether they go over four planes at once: also longer ones, up to 52 turns. So many additions
 * one after another still keep sums of like numbers to 1e-6, their limit (found by trying: 49 turns
 * 8e-7 at worst, 64 turns 1e-6).
 */
export function isSummedByFours<T>(plane: usize): bool {
  return sizeof<T>() === 4 && plane <= 52 * 16;
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
