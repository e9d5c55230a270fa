/**
 * The forward pass over a group: moments of this rank, merged over all ranks, then normalize.
 * docs/algorithms.md tells it in prose.
 */

import type { FloatArray } from '../core/dtype.js';
import { PACKED_SUM } from '../core/exact-sum.js';
import { type Layout, valuesPerChannel } from '../core/layout.js';
import { type Moments, packedLength, viewPacked } from '../core/moments.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Normalization } from '../kernels/kernels.js';
import { plainKernels as kernels } from '../kernels/plain.js';
import { mergePacked, packSquares, packSums } from '../kernels/plane-sums.js';
import { exchangeMoments } from './exchange.js';

export type { Normalization } from '../kernels/kernels.js';

/** Scale and shift of the channels, and what keeps the root away from 0. */
export interface Affine {
  readonly weight: FloatArray | null;
  readonly bias: FloatArray | null;
  readonly eps: number;
}

/** The ranks over which a pass runs, and how. */
export interface Scope {
  readonly group: ProcessGroup;
  /** What collectives and errors call the layer. */
  readonly label: string;
  /** Whether the result must not depend on how the batch is split over ranks. */
  readonly reproducible: boolean;
}

/** Moments of x's channels over the whole group; bitwise the same on all its ranks. */
export function groupMoments(x: FloatArray, layout: Layout, scope: Scope): Moments {
  if (scope.reproducible) return reproducibleMoments(x, layout, scope);
  const { channels } = layout;
  const packed = new Float64Array(packedLength(channels));
  packed[0] = valuesPerChannel(layout);
  const local = viewPacked(packed, channels);
  kernels.moments(local.mean, local.m2, x, layout, { from: 0, to: channels });
  return scope.group.size === 1
    ? local
    : exchangeMoments(scope.group, packed, channels, scope.label).wait();
}

/**
 * Two passes, each an exact sum over planes: first of x for the mean, then of (x - mean)^2 with
 * the group's mean, so that neither depends on the split.
 */
function reproducibleMoments(x: FloatArray, layout: Layout, scope: Scope): Moments {
  const { channels } = layout;
  const sums = gatherSums(channels, valuesPerChannel(layout), scope, (out) =>
    packSums(out, x, layout),
  );
  const { count } = sums;
  const mean = sums.values.map((sum) => (count === 0 ? 0 : sum / count));
  const m2 = gatherSums(channels, 0, scope, (out) => packSquares(out, x, mean, layout)).values;
  return { count, mean, m2 };
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

/** What normalises with moments of a batch: the biased variance, M2 / n. */
export function normalizationOf({ count, mean, m2 }: Moments, affine: Affine): Normalization {
  return normalizationBy(
    mean,
    m2.map((sum) => (count === 0 ? 0 : sum / count)),
    affine,
  );
}

/** What normalises with a given mean and variance. */
export function normalizationBy(
  mean: ArrayLike<number>,
  variance: ArrayLike<number>,
  { weight, bias, eps }: Affine,
): Normalization {
  const invstd = Float64Array.from(variance, (value) => 1 / Math.sqrt(value + eps));
  return { mean: Float64Array.from(mean), invstd, weight, bias };
}

/** Writes y = (x - mean) * invstd * weight + bias; y may be x. */
export function normalize(y: FloatArray, x: FloatArray, by: Normalization, layout: Layout): void {
  kernels.normalize(y, x, by, layout, { from: 0, to: layout.channels });
}
