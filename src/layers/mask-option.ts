/** The mask of a forward call. */

import { checkChoice } from '../core/checks.js';
import { needFeature } from '../core/features.js';
import { formatShape, sameShape, sizeOf } from '../core/layout.js';
import { type Mask, maskOf } from '../core/mask.js';
import { show } from '../core/show.js';
import { Tensor } from '../core/tensor.js';
import type { ForwardOptions } from './context.js';

/** @throws TypeError and RangeError for a mask that does not fit an input of this shape */
export function maskFor(
  { mask, maskedOutput = 'normalize' }: ForwardOptions,
  shape: readonly number[],
  channelsLast: boolean,
  label: string,
): Mask | null {
  if (maskedOutput !== 'normalize') {
    checkChoice(maskedOutput, ['normalize', 'zero'], `${label}: maskedOutput`);
  }
  if (mask === undefined) return null;
  needFeature('masks', label);
  const places = shape.toSpliced(channelsLast ? -1 : 1, 1);
  const wanted = `${label}: the mask of an input of shape ${formatShape(shape)} must`;
  if (mask instanceof Tensor) {
    if (!sameShape(mask.shape, places)) {
      const got = formatShape(mask.shape);
      throw new RangeError(`${wanted} have shape ${formatShape(places)}, got ${got}`);
    }
  } else if (!(mask instanceof Uint8Array)) {
    throw new TypeError(`${wanted} be a Tensor or a Uint8Array, got ${show(mask)}`);
  } else if (mask.length !== sizeOf(places)) {
    throw new RangeError(`${wanted} have ${sizeOf(places)} elements, got ${mask.length}`);
  }
  return maskOf(mask instanceof Tensor ? mask.toFloats() : mask, maskedOutput === 'zero');
}
