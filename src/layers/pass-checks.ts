/** Checks of a pass: TypeError for arguments of a wrong type, RangeError for wrong values. */

import { computeDType, type DType } from '../core/dtype.js';
import { needFeature } from '../core/features.js';
import { formatShape, sameShape } from '../core/layout.js';
import { show } from '../core/show.js';
import { Tensor } from '../core/tensor.js';
import { checkAttached } from '../core/typed-arrays.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Saved } from '../ops/backward.js';
import { ForwardContext } from './context.js';

/** Numbers of axes that an input may have, and their text in errors. */
export interface AcceptedRanks {
  accept(rank: number): boolean;
  readonly text: string;
}

/** A layer's demands on its inputs. */
export interface Expected {
  readonly label: string;
  readonly numFeatures: number;
  readonly dtype: DType;
  readonly ranks: AcceptedRanks;
  readonly channelsLast: boolean;
}

/** Throws unless an input may have this shape. */
export function checkInputShape(shape: readonly number[], expected: Expected): void {
  const { ranks, label, numFeatures, channelsLast } = expected;
  if (!ranks.accept(shape.length)) {
    throw new RangeError(
      `${label}: expected an input with ${ranks.text} axes, got shape ${formatShape(shape)}`,
    );
  }
  const channels = shape[channelsLast ? shape.length - 1 : 1];
  if (channels !== numFeatures) {
    const axis = channelsLast ? 'the last axis' : 'axis 1';
    throw new RangeError(
      `${label}: expected ${numFeatures} channels on ${axis}, got ${channels} in shape ${formatShape(shape)}`,
    );
  }
}

/** Throws unless `x` is an input, and this rank is in the group that normalises it. */
export function checkInput(x: unknown, group: ProcessGroup | null, expected: Expected): void {
  const { label, dtype } = expected;
  if (!(x instanceof Tensor)) {
    throw new TypeError(`${label}: the input must be a Tensor, got ${show(x)}`);
  }
  checkAttached(x.data, label);
  if (group !== null && group.rank < 0) {
    throw new RangeError(
      `${label}: this rank is not in group '${group.name}' (ranks ${group.ranks.join(', ')})`,
    );
  }
  checkInputShape(x.shape, expected);
  if (computeDType(x.dtype) !== computeDType(dtype)) {
    const accepted = dtype === 'float64' ? 'float64' : 'float32, float16 or bfloat16';
    throw new RangeError(`${label}: expected an input of ${accepted}, got ${x.dtype}`);
  }
  if (x.dtype !== 'float32') needFeature(x.dtype, label);
}

/** Returns the forward call's `saved`; throws unless `dy` is a gradient of its output. */
export function checkGradient(
  dy: unknown,
  context: ForwardContext | null,
  layer: object,
  label: string,
): Saved {
  if (!(dy instanceof Tensor)) {
    throw new TypeError(`${label}: the gradient must be a Tensor, got ${show(dy)}`);
  }
  checkAttached(dy.data, label);
  if (context === null) {
    throw new Error(`${label}: backward needs a forward call before it`);
  }
  if (!(context instanceof ForwardContext)) {
    throw new TypeError(`${label}: context must be that of a forward call, got ${show(context)}`);
  }
  const { saved, input } = context;
  if (context.layer !== layer) {
    throw new RangeError(
      `${label}: the context is that of a forward call of ${(context.layer as { label: string }).label}`,
    );
  }
  if (saved === null) {
    throw new Error(
      `${label}: backward has used this forward call already, or its output lies over its input`,
    );
  }
  if (!sameShape(dy.shape, input.shape) || dy.dtype !== input.dtype) {
    throw new RangeError(
      `${label}: expected the gradient of an output of shape ${formatShape(input.shape)} and ` +
        `dtype ${input.dtype}, got shape ${formatShape(dy.shape)} and dtype ${dy.dtype}`,
    );
  }
  // Reading it throws if the input was disposed: its memory may hold something else by now.
  checkAttached(input.data, label);
  return saved;
}
