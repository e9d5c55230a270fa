/**
 * Running statistics of a whole pass over the data. Training leaves behind an average of batches
 * whose weights were still changing, in which the latest batches weigh most. (Wu and Johnson,
 * "Rethinking 'Batch' in BatchNorm", 2021, section 3, call it precise batch norm.)
 */

import { checkType } from '../core/checks.js';
import type { TensorData } from '../core/dtype.js';
import { CollectiveError, describeError } from '../core/errors.js';
import { combine, emptyMoments, type Moments, mergeRanks, packedLength } from '../core/moments.js';
import type { ProcessGroup } from '../group/process-group.js';
import { tellingPeers, tellPeers } from '../group/tell-peers.js';
import { findGroup } from '../group/world.js';
import type { GlobalBatchNorm } from '../layers/global-batch-norm.js';
import { type LayerParts, partsOf } from '../layers/parts.js';
import type { AnySyncBatchNorm } from '../layers/sync-batch-norm.js';

/** A layer of this package. */
export type Layer = AnySyncBatchNorm | GlobalBatchNorm;

const CALLER = 'recomputeRunningStatistics';

/**
 * Replaces the running mean and variance of `layers` by the statistics of all values that they see,
 * on all ranks of the world, while `passes` runs. Meanwhile they are in training mode, and
 * normalise by the statistics of their batches; afterwards they return to their mode.
 *
 * Every rank calls it with the same layers. Batches are merged by their counts, in float64. For a
 * layer that sees the input itself, it makes no difference how the data are cut into batches. The
 * inputs of deeper layers depend on the batches before them; large batches are best. Batches that a
 * layer skips for NaN or infinity are left out.
 * @param passes runs forward passes over the data; may be asynchronous
 * @throws TypeError for anything but a layer; RangeError for a layer without running statistics,
 *   and for one that has seen less than two values per channel. The layers are then as they were
 * @example
 * await recomputeRunningStatistics([bn1, bn2], () => {
 *   for (const batch of batches) model.forward(batch);
 * });
 */
export async function recomputeRunningStatistics(
  layers: Iterable<Layer>,
  passes: () => unknown,
): Promise<void> {
  checkType(passes, 'function', `${CALLER}: passes`);
  const world = findGroup(null, CALLER);
  const watched = tellingPeers(
    () => world,
    CALLER,
    '',
    () => watchAll(layers),
  );
  try {
    await run(passes, watched, world);
    const merged = await mergeOverRanks(watched, world);
    merged.forEach(({ count }, i) => {
      if (count >= 2) return;
      const { label } = watched[i].layer;
      throw new RangeError(`${CALLER}: ${label} has seen ${count} values per channel, and needs 2`);
    });
    for (const [i, { parts }] of watched.entries()) parts.adopt(merged[i]);
  } catch (error) {
    for (const each of watched) restore(each);
    throw error;
  }
}

/** A layer under observation, and its state before. */
interface Watched {
  readonly layer: Layer;
  readonly parts: LayerParts;
  readonly training: boolean;
  /** Running statistics and the number of batches, with copies of them. */
  readonly buffers: readonly (readonly [TensorData, TensorData])[];
  readonly seen: Moments;
}

function watchAll(layers: Iterable<Layer>): Watched[] {
  const watched = [...new Set(layers)].map((layer): Watched => {
    const parts = partsOf(layer);
    if (parts.running === null) {
      throw new RangeError(`${CALLER}: ${layer.label} has no running statistics`);
    }
    if (parts.observer !== null) {
      throw new Error(`${CALLER}: ${layer.label} is in another call of it already`);
    }
    const learned = [parts.weight?.data, parts.bias?.data];
    const buffers = Object.values(layer.stateTensors())
      .filter((tensor) => !learned.includes(tensor))
      .map(({ data }) => [data, data.slice()] as const);
    const { training, numFeatures } = layer;
    return { layer, parts, training, buffers, seen: emptyMoments(numFeatures) };
  });
  for (const { layer, parts, seen } of watched) {
    layer.resetRunningStatistics();
    layer.setTrain(true);
    parts.observer = (moments) => combine(seen, moments);
  }
  return watched;
}

/** Runs the passes; an error of this rank fails the other ranks' next collective. */
async function run(
  passes: () => unknown,
  watched: readonly Watched[],
  world: ProcessGroup,
): Promise<void> {
  try {
    await passes();
  } catch (error) {
    if (world.size > 1 && !(error instanceof CollectiveError)) {
      tellPeers(world, describeError(error), CALLER);
    }
    throw error;
  } finally {
    for (const { layer, parts, training } of watched) {
      parts.observer = null;
      layer.setTrain(training);
    }
  }
}

function restore({ buffers }: Watched): void {
  for (const [data, before] of buffers) data.set(before);
}

/** Merges the moments of all ranks. The ranks of a layer's group have seen the same: one speaks. */
async function mergeOverRanks(
  watched: readonly Watched[],
  world: ProcessGroup,
): Promise<Moments[]> {
  if (world.size === 1) return watched.map(({ seen }) => seen);
  const starts: number[] = [];
  let length = 0;
  for (const { layer } of watched) {
    starts.push(length);
    length += packedLength(layer.numFeatures);
  }
  const own = new Float64Array(length);
  watched.forEach(({ layer, parts, seen }, i) => {
    layer.setTrain(true);
    const speaks = parts.group()?.rank === 0;
    layer.setTrain(watched[i].training);
    if (!speaks) return;
    own[starts[i]] = seen.count;
    own.set(seen.mean, starts[i] + 1);
    own.set(seen.m2, starts[i] + 1 + layer.numFeatures);
  });
  const label = `${CALLER} of ${watched.map(({ layer }) => layer.label).join(', ')}`;
  const all = await world.allGather(own, { label }).done();
  return watched.map(({ layer }, i) =>
    mergeRanks(all.subarray(starts[i]), length, world.size, layer.numFeatures),
  );
}
