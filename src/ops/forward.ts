/**
 * The forward pass over a group: moments of this rank, merged over all ranks, then normalize,
 * block by block of channels. docs/algorithms.md tells it in prose.
 */

import type { FloatArray } from '../core/dtype.js';
import { PACKED_SUM } from '../core/exact-sum.js';
import { type Layout, valuesPerChannel } from '../core/layout.js';
import type { Moments } from '../core/moments.js';
import { mergePacked, packSquares, packSums } from '../kernels/plane-sums.js';
import { defaultKernels } from '../kernels/select.js';
import { mergeOverGroup } from './group-moments.js';
import type { Statistics } from './kept.js';
import type { Affine, Scope } from './scope.js';

/**
 * Writes y = (x - mean) * invstd * weight + bias with the moments of the group's batch.
 * @param statistics where mean, M2 and invstd go
 * @param admit is called with the group's count before anything is written, and may throw
 * @returns the moments over the group, bitwise the same on all its ranks: views of `statistics`
 */
export function forward(
  y: FloatArray,
  x: FloatArray,
  layout: Layout,
  affine: Affine,
  scope: Scope,
  statistics: Statistics,
  admit: (count: number) => void,
): Moments {
  if (scope.reproducible) {
    return reproducibleForward(y, x, layout, affine, scope, statistics, admit);
  }
  const kernels = defaultKernels();
  const { channels } = layout;
  const { mean, m2, invstd } = statistics;
  const { weight, bias, eps } = affine;
  const by = { mean, invstd, weight, bias };
  const dtype = x instanceof Float64Array ? 'float64' : 'float32';
  const alone = scope.group.size === 1;
  // Alone a rank takes its own blocks; with others those that all have agreed on.
  const step = alone ? kernels.channelsPerBlock(layout, dtype, 'forward') : scope.plan.forward;
  let count = valuesPerChannel(layout);
  for (let from = 0; from < channels; from += step) {
    const block = { from, to: Math.min(channels, from + step) };
    kernels.moments(mean, m2, x, layout, block);
    if (!alone) count = mergeOverGroup(kernels, statistics, layout, dtype, block, scope);
    if (from === 0) admit(count);
    kernels.inverseDeviations(invstd, m2, Math.max(count, 1), eps, block);
    kernels.normalize(y, x, by, layout, block);
  }
  return { count, mean, m2 };
}

/**
 * Two passes, each an exact sum over planes: first of x for the mean, then of (x - mean)^2 with
 * the group's mean, so that neither depends on the split.
 */
function reproducibleForward(
  y: FloatArray,
  x: FloatArray,
  layout: Layout,
  affine: Affine,
  scope: Scope,
  statistics: Statistics,
  admit: (count: number) => void,
): Moments {
  const { channels } = layout;
  const { count, values } = gatherSums(channels, valuesPerChannel(layout), scope, (out) =>
    packSums(out, x, layout),
  );
  admit(count);
  const mean = values.map((sum) => (count === 0 ? 0 : sum / count));
  const m2 = gatherSums(channels, 0, scope, (out) => packSquares(out, x, mean, layout)).values;
  const variance = m2.map((sum) => (count === 0 ? 0 : sum / count));
  setStatistics(statistics, mean, m2, variance, affine.eps);
  normalize(y, x, statistics, affine, layout);
  return { count, mean: statistics.mean, m2: statistics.m2 };
}

/**
 * Exact sums over the group of what `pack` writes for this rank, and the sum of the counts.
 * One all-gather of 8C + 1 numbers.
 */
export function gatherSums(
  channels: number,
  count: number,
  { group, label }: Scope,
  pack: (out: Float64Array) => void,
): { count: number; values: Float64Array } {
  const stride = channels * PACKED_SUM + 1;
  const packed = new Float64Array(stride);
  pack(packed);
  packed[stride - 1] = count;
  const gathered = group.allGather(packed, { label }).wait();
  const values = new Float64Array(channels);
  mergePacked(values, gathered, group.size, stride);
  let total = 0;
  for (let rank = 1; rank <= group.size; rank++) total += gathered[rank * stride - 1];
  return { count: total, values };
}

/** Writes mean, M2 and 1 / sqrt(variance + eps). */
export function setStatistics(
  statistics: Statistics,
  mean: ArrayLike<number>,
  m2: ArrayLike<number>,
  variance: ArrayLike<number>,
  eps: number,
): void {
  statistics.mean.set(mean);
  statistics.m2.set(m2);
  for (let c = 0; c < mean.length; c++) {
    statistics.invstd[c] = 1 / Math.sqrt(variance[c] + eps);
  }
}

/** Writes y = (x - mean) * invstd * weight + bias with given statistics; y may be x. */
export function normalize(
  y: FloatArray,
  x: FloatArray,
  { mean, invstd }: Statistics,
  { weight, bias }: Affine,
  layout: Layout,
): void {
  const by = { mean, invstd, weight, bias };
  defaultKernels().normalize(y, x, by, layout, { from: 0, to: layout.channels });
}
