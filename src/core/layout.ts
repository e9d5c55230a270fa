/**
 * Positions of the channels in an array, and the type of its elements.
 *
 * Both layouts are one form: `samples` x `channels` x `plane` (channels first) or
 * `samples` x `plane` x `channels` (channels last), row major.
 */

import type { DType } from './dtype.js';
import type { Mask } from './mask.js';

/** An array's shape as the kernels see it. All sizes are element counts. */
export interface Layout {
  /** First axis: samples of the batch on this rank. */
  readonly samples: number;
  readonly channels: number;
  /** Product of the trailing axes: values of one (sample, channel) plane. 1 for shape (N, C). */
  readonly plane: number;
  readonly channelsLast: boolean;
  /** Element type, by name: two bytes do not tell float16 from bfloat16. */
  readonly dtype: DType;
  /** Samples and positions that count; default: all. */
  readonly mask?: Mask | null;
}

/** Values per channel of the array. */
export function valuesPerChannel({ samples, plane }: { samples: number; plane: number }): number {
  return samples * plane;
}

/** Values per channel that count. */
export function countPerChannel(layout: Layout): number {
  return layout.mask?.count ?? valuesPerChannel(layout);
}

/**
 * The layout of `shape`: (N, C, +), or (N, +, C) with `channelsLast`. Any number of trailing axes.
 * The caller has checked that there are at least two axes.
 */
export function layoutOf(
  shape: readonly number[],
  channelsLast: boolean,
  dtype: DType,
  mask: Mask | null = null,
): Layout {
  const channelAxis = channelsLast ? shape.length - 1 : 1;
  let plane = 1;
  for (let axis = 1; axis < shape.length; axis++) if (axis !== channelAxis) plane *= shape[axis];
  return { samples: shape[0], channels: shape[channelAxis], plane, channelsLast, dtype, mask };
}

/** Number of elements of `shape`. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** True if two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

/** `(2, 3)`, and `(2,)` for one axis, as NumPy writes it. */
export function formatShape(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
}
