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
import { blocksOf } from './blocks.js';
import { GroupMoments } from './group-moments.js';
import type { Affine, Scope } from './scope.js';
import { workspace } from './workspace.js';

/**
 * Writes y = (x - mean) * invstd * weight + bias with the moments of the group's batch.
 * @param statistics where mean, M2 and invstd go, one behind the other
 * @param admit is called with the group's count before anything is written, and may throw
 * @returns the moments over the group, bitwise the same on all its ranks: views of `statistics`
 */
export function forward(
  y: FloatArray,
  x: FloatArray,
  layout: Layout,
  affine: Affine,
  scope: Scope,
  statistics: Float64Array,
  admit: (count: number) => void,
): Moments {
  if (scope.reproducible) {
    return reproducibleForward(y, x, layout, affine, scope, statistics, admit);
  }
  const kernels = defaultKernels();
  const group = new GroupMoments(kernels, x, layout, affine, scope);
  const { mean, m2 } = group.work;
  const blocks = blocksOf(layout.channels, group.channelsPerBlock());
  for (let i = 0; i < blocks.length; i++) {
    kernels.moments(mean, m2, x, layout, blocks[i]);
    group.merge(blocks[i], i === 0);
    if (i === 0) admit(group.count);
    kernels.normalize(y, x, group.by, layout, blocks[i]);
  }
  statistics.set(group.work.statistics);
  return momentsOf(statistics, group.count);
}

/** Views of a pass's statistics. */
function momentsOf(statistics: Float64Array, count: number): Moments {
  const channels = statistics.length / 3;
  const mean = statistics.subarray(0, channels);
  return { count, mean, m2: statistics.subarray(channels, 2 * channels) };
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
  statistics: Float64Array,
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
  return momentsOf(statistics, count);
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

/** Writes mean, M2 and 1 / sqrt(variance + eps), one behind the other. */
export function setStatistics(
  statistics: Float64Array,
  mean: ArrayLike<number>,
  m2: ArrayLike<number>,
  variance: ArrayLike<number>,
  eps: number,
): void {
  const channels = mean.length;
  statistics.set(mean);
  statistics.set(m2, channels);
  for (let c = 0; c < channels; c++) {
    statistics[2 * channels + c] = 1 / Math.sqrt(variance[c] + eps);
  }
}

/** Writes y = (x - mean) * invstd * weight + bias with given statistics; y may be x. */
export function normalize(
  y: FloatArray,
  x: FloatArray,
  statistics: Float64Array,
  { weight, bias }: Affine,
  layout: Layout,
): void {
  const kernels = defaultKernels();
  const { channels } = layout;
  const work = workspace(kernels, channels);
  work.statistics.set(statistics);
  const by = { mean: work.mean, invstd: work.invstd, weight, bias };
  kernels.normalize(y, x, by, layout, { from: 0, to: channels });
}
