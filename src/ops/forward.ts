/**
 * The forward pass over a group, in two halves: the statistics of the group's batch, then normalize.
 * The layer looks at the statistics in between. docs/algorithms.md tells it in prose.
 */

import type { FloatArray, TensorData } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import { finished, type Pass } from '../group/pass.js';
import type { ChannelRange } from '../kernels/kernels.js';
import { extremesOf, LEAST_EPS, runApart, sumTinyAgain } from './extremes.js';
import type { Kernels } from './kernels.js';
import { blocksOf, Near } from './memory/near.js';
import type { Statistics } from './memory/statistics.js';
import { exactMerging } from './merge/exact-merging.js';
import { mergeMoments } from './merge/merge.js';
import type { Affine, Scope } from './scope.js';

/** x for both halves of a pass: `batchStatistics` brings it, and `normalizeBatch` takes its data. */
export function nearInput(x: TensorData, layout: Layout, kernels: Kernels): Near {
  return new Near(kernels, 'x', x, layout);
}

/** Writes count, mean and M2 of the group's batch, bitwise the same on all its ranks. */
export function batchStatistics(
  statistics: Statistics,
  input: Near,
  layout: Layout,
  scope: Scope,
): Pass<Statistics> {
  const { data: x } = input;
  const all = { from: 0, to: layout.channels };
  if (scope.reproducible) {
    const { ExactMoments } = exactMerging();
    input.bring(all);
    return new ExactMoments(statistics, x, layout, scope);
  }
  const { kernels, group } = scope;
  const { channels, samples, plane } = layout;
  const { mean, m2 } = statistics;
  for (const block of blocksOf(layout, all, input, input)) {
    input.bring(block);
    statistics.count = kernels.moments(mean, m2, x, layout, block);
  }
  if (scope.eps < LEAST_EPS) sumTinyAgain(statistics, x, layout);
  const own = kernels.channelsPerBlock(layout);
  statistics.channelsPerBlock = own;
  if (group.size === 1) return finished(statistics);
  const least = Math.ceil(channels / group.mostBlocks);
  // A rank without values takes the blocks that suit the other ranks.
  const vote = samples * plane === 0 ? Number.POSITIVE_INFINITY : Math.max(least, own);
  return mergeMoments(statistics, vote, scope);
}

/** Normalises x by the statistics of a batch, with the tail, into y, which may be x. */
export function normalizeBatch(
  y: TensorData,
  x: TensorData,
  statistics: Statistics,
  affine: Affine,
  layout: Layout,
  kernels: Kernels,
): void {
  const { invstd, m2, count } = statistics;
  // An empty group has no value that would be normalised; 1 keeps NaN out of invstd.
  kernels.inverseDeviations(invstd, m2, Math.max(count, 1), affine.eps);
  normalize(y, x, statistics, affine, layout, kernels);
}

/** Normalises x by a given mean and variance. */
export function normalizeBy(
  y: TensorData,
  x: TensorData,
  mean: FloatArray,
  variance: FloatArray,
  statistics: Statistics,
  affine: Affine,
  layout: Layout,
  kernels: Kernels,
): void {
  statistics.mean.set(mean);
  for (let c = 0; c < mean.length; c++) {
    statistics.invstd[c] = 1 / Math.sqrt(variance[c] + affine.eps);
  }
  normalize(y, x, statistics, affine, layout, kernels);
}

function normalize(
  y: TensorData,
  x: TensorData,
  statistics: Statistics,
  { weight, bias, eps, tail }: Affine,
  layout: Layout,
  kernels: Kernels,
): void {
  const { mean, invstd } = statistics;
  const by = { mean, invstd, weight, bias };
  const all = { from: 0, to: layout.channels };
  const extremes = extremesOf(invstd, eps, layout.dtype);
  statistics.extremes = extremes;
  const source = new Near(kernels, 'x', x, layout);
  // In the place of x, if that is a copy.
  const target = new Near(kernels, 'x', y, layout);
  const stage = (own: Kernels, range: ChannelRange) => {
    if (tail) own.tails().normalize(target.data, source.data, tail, by, layout, range);
    else own.normalize(target.data, source.data, by, layout, range);
  };
  for (const block of blocksOf(layout, all, source, target)) {
    source.bring(block);
    if (extremes === null) stage(kernels, block);
    else runApart(extremes, block, kernels, stage);
    target.deliver(block);
  }
}
