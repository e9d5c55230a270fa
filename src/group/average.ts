/**
 * Weighted averages of the ranks' arrays, in rank order, so that every rank that computes one gets
 * the same bits: assembly/average.ts in numbers of JavaScript.
 */

import type { FloatArray } from '../core/dtype.js';

/**
 * out[i] = (weights[0] * slots[0][i] + weights[1] * slots[1][i] + ...) / divisor, in float64 and
 * rounded once; float32 sums are multiplied by the rounded 1 / divisor. A rank of weight 0 is left
 * out, even if its numbers are NaN or infinite.
 * @param out may be one of `slots`, and is no longer than any
 */
export type Average = (
  out: FloatArray,
  slots: readonly FloatArray[],
  weights: Float64Array,
  divisor: number,
) => void;

export const averageRanks: Average = (out, slots, weights, divisor) => {
  const members = slots.map((_, m) => m).filter((m) => weights[m] !== 0);
  const factor = out instanceof Float32Array ? 1 / divisor : null;
  for (let i = 0; i < out.length; i++) {
    let sum = -0;
    for (const m of members) sum += weights[m] * slots[m][i];
    out[i] = factor === null ? sum / divisor : sum * factor;
  }
};
