/**
 * The forward pass over a group: moments of this rank, merged over all ranks, then normalize.
 * docs/algorithms.md tells it in prose.
 */

import type { FloatArray } from '../core/dtype.js';
import { PACKED_SUM } from '../core/exact-sum.js';
import type { Layout } from '../core/layout.js';
import type { Moments } from '../core/moments.js';
import { mergeOverGroup } from './group-moments.js';
import type { Statistics } from './kept.js';
import type { Kernels } from './kernels.js';
import type { Affine, Scope } from './scope.js';

/** What a forward call leaves beside its output. */
export interface Normalized {
  /** Over the group, bitwise the same on all its ranks: views of the given statistics. */
  readonly moments: Moments;
  /** Channels of a block of the backward call. */
  readonly channelsPerBlock: number;
}

/**
 * Writes y = (x - mean) * invstd * weight + bias with the moments of the group's batch.
 * @param statistics where mean, M2 and invstd go
 * @param admit is called with the group's count before anything is written, and may throw
 */
export function forward(
  y: FloatArray,
  x: FloatArray,
  layout: Layout,
  affine: Affine,
  scope: Scope,
  statistics: Statistics,
  admit: (count: number) => void,
): Normalized {
  const { channels } = layout;
  if (scope.reproducible) {
    const moments = reproducibleForward(y, x, layout, affine, scope, statistics, admit);
    return { moments, channelsPerBlock: channels };
  }
  const { kernels } = scope;
  const { mean, m2, invstd } = statistics;
  const own = kernels.moments(mean, m2, x, layout, { from: 0, to: channels });
  const { count, channelsPerBlock } =
    scope.group.size === 1
      ? { count: own, channelsPerBlock: kernels.channelsPerBlock(layout) }
      : mergeOverGroup(statistics, own, layout, scope);
  admit(count);
  kernels.inverseDeviations(invstd, m2, Math.max(count, 1), affine.eps);
  normalize(y, x, statistics, affine, layout, scope.kernels);
  return { moments: { count, mean, m2 }, channelsPerBlock };
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
  const { kernels } = scope;
  const { count, values } = gatherSums(channels, scope, (out) => kernels.exactSums(out, x, layout));
  admit(count);
  const mean = values.map((sum) => (count === 0 ? 0 : sum / count));
  const m2 = gatherSums(channels, scope, (out) => {
    kernels.exactSquares(out, x, mean, layout);
    return 0;
  }).values;
  const variance = m2.map((sum) => (count === 0 ? 0 : sum / count));
  setStatistics(statistics, mean, m2, variance, affine.eps);
  normalize(y, x, statistics, affine, layout, scope.kernels);
  return { count, mean: statistics.mean, m2: statistics.m2 };
}

/**
 * Exact sums over the group of what `pack` writes for this rank, and the sum of the counts that it
 * returns.
 * One all-gather of 8C + 1 numbers.
 */
export function gatherSums(
  channels: number,
  { kernels, group, label }: Scope,
  pack: (out: Float64Array) => number,
): { count: number; values: Float64Array } {
  const stride = channels * PACKED_SUM + 1;
  const packed = new Float64Array(stride);
  packed[stride - 1] = pack(packed);
  const gathered = group.allGather(packed, { label }).wait();
  const values = new Float64Array(channels);
  kernels.mergeExact(values, gathered, group.size, stride);
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
  kernels: Kernels,
): void {
  const by = { mean, invstd, weight, bias };
  kernels.normalize(y, x, by, layout, { from: 0, to: layout.channels });
}
