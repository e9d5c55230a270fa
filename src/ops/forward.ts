/**
 * The forward pass over a group, in two halves: the statistics of the group's batch, then normalize.
 * The layer looks at the statistics in between. docs/algorithms.md tells it in prose.
 */

import type { FloatArray, TensorData } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import { finished, type Pass } from '../group/pass.js';
import { extremesOf, LEAST_EPS, MOST, runApart, sumTinyAgain } from './extremes.js';
import type { Kernels } from './kernels.js';
import { blocksOf, kernelsOver, Near } from './memory/near.js';
import type { Statistics } from './memory/statistics.js';
import { exactMerging } from './merge/exact-merging.js';
import { mergeMoments } from './merge/merge.js';
import type { Affine, Scope } from './scope.js';

/**
 * x for both halves of a pass whose output is y: `batchStatistics` brings it, and `normalizeBatch`
 * takes its data.
 */
export function nearInput(
  x: TensorData,
  y: TensorData,
  layout: Layout,
  kernels: Kernels,
  reproducible: boolean,
): Near {
  return new Near(reproducible ? kernels : kernelsOver(kernels, layout, x, y), 'x', x, layout);
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
    statistics.count = input.kernels.moments(mean, m2, x, layout, block);
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

/**
 * Computes 1 / deviation of a batch's channels.
 * @returns true, as nearly always, if no deviation is far from 1; then all statistics are finite
 */
export function finishStatistics(
  statistics: Statistics,
  eps: number,
  { dtype }: Layout,
  kernels: Kernels,
): boolean {
  const { invstd, m2, count } = statistics;
  // An empty group has no value that would be normalised; 1 keeps NaN out of invstd.
  const isUsual = kernels.inverseDeviations(invstd, m2, Math.max(count, 1), eps, MOST[dtype]);
  statistics.extremes = isUsual ? null : extremesOf(invstd, dtype);
  return isUsual;
}

/** Normalises x by the finished statistics of a batch, with the tail, into y, which may be x. */
export function normalizeBatch(
  y: TensorData,
  input: Near,
  statistics: Statistics,
  affine: Affine,
  layout: Layout,
): void {
  normalize(y, input, true, statistics, affine, layout);
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
  const { invstd } = statistics;
  statistics.mean.set(mean);
  for (let c = 0; c < mean.length; c++) invstd[c] = 1 / Math.sqrt(variance[c] + affine.eps);
  statistics.extremes = extremesOf(invstd, layout.dtype);
  const input = nearInput(x, y, layout, kernels, false);
  normalize(y, input, false, statistics, affine, layout);
}

/** @param isThere false if x must be brought */
function normalize(
  y: TensorData,
  input: Near,
  isThere: boolean,
  { mean, invstd, extremes }: Statistics,
  { weight, bias, tail }: Affine,
  layout: Layout,
): void {
  const { kernels, data: x } = input;
  const by = { mean, invstd, weight, bias };
  const all = { from: 0, to: layout.channels };
  // In the place of x, if that is a copy.
  const target = new Near(kernels, 'x', y, layout);
  // The latest first: it is still in the cache.
  for (const block of blocksOf(layout, all, isThere ? target : input, target).reverse()) {
    if (!isThere) input.bring(block);
    if (extremes === null && !tail) {
      kernels.normalize(target.data, x, by, layout, block);
    } else {
      runApart(extremes ?? [], block, kernels, (own, range) => {
        if (tail) own.tails().normalize(target.data, x, tail, by, layout, range);
        else own.normalize(target.data, x, by, layout, range);
      });
    }
    target.deliver(block);
  }
}
