/**
 * The float64 side of a normalisation: moments and sums between jax-js and the group. Only
 * vectors of C numbers come here; see normalization.ts for what jax-js makes of them.
 */

import { type Device, numpy as np } from '@jax-js/jax';
import { type Moments, packedLength } from '../../core/moments.js';
import type { ProcessGroup } from '../../group/process-group.js';
import type { BatchNorm } from '../../layers/batch-norm.js';

/** What one call of a layer normalises by. */
export interface Applied {
  /** Ranks whose batch the statistics are of; null for running ones. */
  readonly group: ProcessGroup | null;
  /** Values per channel over the group. */
  readonly count: number;
  readonly mean: ArrayLike<number>;
  readonly invstd: Float64Array;
}

/** Moments for the wire, from `values` of `localMoments`: (first mean, rest of the mean, M2). */
export function packMoments(values: Float32Array, count: number): Float64Array {
  const channels = values.length / 3;
  const packed = new Float64Array(packedLength(channels));
  packed[0] = count;
  for (let c = 0; c < channels; c++) {
    const rest = values[channels + c];
    packed[1 + c] = values[c] + rest;
    // M2 is about the first mean; about the mean itself it is smaller.
    packed[1 + channels + c] = Math.max(0, values[2 * channels + c] - count * rest * rest);
  }
  return packed;
}

/** Statistics of the group's batch. */
export function batchStatistics(moments: Moments, layer: BatchNorm, group: ProcessGroup): Applied {
  const { count, mean, m2 } = moments;
  const invstd = m2.map((sum) => 1 / Math.sqrt(sum / Math.max(count, 1) + layer.eps));
  return { group, count, mean, invstd };
}

/** Running statistics. */
export function runningStatistics(layer: BatchNorm): Applied {
  const { mean, variance } = layer.parts().running!;
  const invstd = Float64Array.from(variance.toFloats(), (v) => 1 / Math.sqrt(v + layer.eps));
  return { group: null, count: 0, mean: mean.toFloats(), invstd };
}

/** The array that `unpackStatistics` takes apart; without `applied`, its first rows are 0. */
export function packStatistics(
  applied: Applied | null,
  layer: BatchNorm,
  device: Device,
): np.Array {
  const channels = layer.numFeatures;
  const rows = new Float32Array(5 * channels);
  for (let c = 0; applied !== null && c < channels; c++) {
    rows[c] = applied.mean[c];
    rows[channels + c] = applied.mean[c] - rows[c];
    rows[2 * channels + c] = applied.invstd[c];
  }
  const { scale, shift } = layer.parts();
  rows.fill(1, 3 * channels, 4 * channels);
  if (scale !== null) rows.set(scale.data.toFloats(), 3 * channels);
  if (shift !== null) rows.set(shift.data.toFloats(), 4 * channels);
  return np.array(rows, { shape: [5, channels], device });
}

/**
 * What the statistics add to the cotangent of x, as factors of 1 and of x - mean, shape (2, C):
 *
 *     constant = dmean / n,  slope = -invstd^3 dinvstd / n
 *
 * @param sums of dmean and dinvstd over the group, one behind the other
 * @param samples by which this rank's loss is divided, while `sums` are of sums
 */
export function packCorrection(
  sums: Float64Array,
  { invstd, count }: Applied,
  samples: number,
  device: Device,
): np.Array {
  const channels = invstd.length;
  const rows = new Float32Array(2 * channels);
  for (let c = 0; count * samples > 0 && c < channels; c++) {
    rows[c] = sums[c] / count / samples;
    rows[channels + c] = (-(invstd[c] ** 3) * sums[channels + c]) / count / samples;
  }
  return np.array(rows, { shape: [2, channels], device });
}
