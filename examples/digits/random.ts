/**
 * Seeded random numbers, the same on every machine: 32-bit integer arithmetic only.
 *
 * mulberry32 by Tommy Ettinger (2017, public domain): a counter stepped by an odd constant, then
 * two rounds of multiply and xor-shift. Period 2^32 draws.
 */

/** Draws the next number, uniform in [0, 1) and a multiple of 2^-32. */
export type Random = () => number;

/** The stream of `seed`, of which the lowest 32 bits count. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
