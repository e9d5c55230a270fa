/** Keras' masks: they select the values of an input that the statistics are of. */

import { Tensor } from '@tensorflow/tfjs-core';
import { formatShape, sizeOf } from '../../../core/layout.js';
import { currentStep } from '../training/current-step.js';

/**
 * The mask of an input, or null without one. A mask with fewer axes holds for all positions along
 * the missing axes.
 * @throws TypeError and RangeError for a mask that does not fit
 */
export function checkMask(
  mask: unknown,
  shape: readonly number[],
  axis: number,
  name: string,
): Tensor | null {
  if (mask === undefined || mask === null) return null;
  const label = `SyncBatchNormalization '${name}': the mask of an input of shape`;
  if (!(mask instanceof Tensor)) {
    throw new TypeError(`${label} ${formatShape(shape)} must be one tensor`);
  }
  const places = shape.toSpliced(axis, 1);
  const { rank } = mask;
  if (rank > places.length || mask.shape.some((size: number, i: number) => size !== places[i])) {
    throw new RangeError(
      `${label} ${formatShape(shape)} must have shape ${formatShape(places)}, or the first axes ` +
        `of it, got ${formatShape(mask.shape)}`,
    );
  }
  return mask;
}

/** A number for each value of a channel, 0 if it does not count; null: all count. */
export function readMask(
  mask: Tensor | null,
  shape: readonly number[],
  axis: number,
): ArrayLike<number> | null {
  if (mask === null) return null;
  // The samples of a ghost step count nowhere.
  if (currentStep()?.isGhost) return [];
  const places = shape.toSpliced(axis, 1);
  const repeat = sizeOf(places.slice(mask.rank));
  const values = mask.dataSync();
  return Float32Array.from({ length: sizeOf(places) }, (_, i) => values[Math.floor(i / repeat)]);
}
