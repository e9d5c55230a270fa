/**
 * The float64 side of a normalisation whose arithmetic a framework does in float32: moments and
 * sums between its arrays and the group. Only vectors of C numbers come here.
 */

import { emptyMoments, type Moments } from '../../core/moments.js';
import type { ProcessGroup } from '../../group/process-group.js';
import type { BatchNorm } from '../../layers/batch-norm.js';
import { partsOf } from '../../layers/parts.js';

/** Statistics that one call of a layer normalises by. */
export interface Applied {
  /** Ranks whose batch the statistics are of; null for running statistics. */
  readonly group: ProcessGroup | null;
  /** Values per channel over the group. */
  readonly count: number;
  readonly mean: ArrayLike<number>;
  readonly invstd: Float64Array;
}

/** Moments of this rank, from rows of C numbers: a first mean, the rest of the mean, M2 about it. */
export function ownMoments(rows: Float32Array, channels: number, count: number): Moments {
  const moments = emptyMoments(channels);
  moments.count = count;
  for (let c = 0; c < channels; c++) {
    const rest = rows[channels + c];
    moments.mean[c] = rows[c] + rest;
    // M2 is about the first mean; about the mean itself it is smaller.
    moments.m2[c] = Math.max(0, rows[2 * channels + c] - count * rest * rest);
  }
  return moments;
}

/** Statistics of the group's batch. */
export function batchStatistics(moments: Moments, layer: BatchNorm, group: ProcessGroup): Applied {
  const { count, mean, m2 } = moments;
  const invstd = m2.map((sum) => 1 / Math.sqrt(sum / Math.max(count, 1) + layer.eps));
  return { group, count, mean, invstd };
}

/** Running statistics; null for a layer without them. */
export function runningStatistics(layer: BatchNorm): Applied | null {
  const { running } = partsOf(layer);
  if (running === null) return null;
  const { mean, variance } = running;
  const invstd = Float64Array.from<number>(
    variance.toFloats(),
    (v) => 1 / Math.sqrt(v + layer.eps),
  );
  return { group: null, count: 0, mean: mean.toFloats(), invstd };
}

/**
 * Rows of C numbers: the mean as two float32 numbers, invstd, and the layer's weight and bias (1
 * and 0 if it has none). Without `applied` the first three are 0.
 */
export function statisticsRows(applied: Applied | null, layer: BatchNorm): Float32Array {
  const channels = layer.numFeatures;
  const rows = new Float32Array(5 * channels);
  for (let c = 0; applied !== null && c < channels; c++) {
    rows[c] = applied.mean[c];
    rows[channels + c] = applied.mean[c] - rows[c];
    rows[2 * channels + c] = applied.invstd[c];
  }
  const { weight, bias } = partsOf(layer);
  rows.fill(1, 3 * channels, 4 * channels);
  if (weight !== null) rows.set(weight.data.toFloats(), 3 * channels);
  if (bias !== null) rows.set(bias.data.toFloats(), 4 * channels);
  return rows;
}

/**
 * The statistics' part of the gradient of x, as factors of 1 and of x - mean; two rows of C:
 *
 *     constant = dmean / n,  slope = -invstd^3 dinvstd / n
 *
 * @param sums of dmean and dinvstd over the group, concatenated
 * @param samples by which this rank's loss is divided, while `sums` belong to the sum of losses
 */
export function correctionRows(
  sums: Float64Array,
  { invstd, count }: Applied,
  samples: number,
): Float32Array {
  const channels = invstd.length;
  const rows = new Float32Array(2 * channels);
  for (let c = 0; count * samples > 0 && c < channels; c++) {
    rows[c] = sums[c] / count / samples;
    rows[channels + c] = (-(invstd[c] ** 3) * sums[channels + c]) / count / samples;
  }
  return rows;
}
