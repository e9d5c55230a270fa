/** The axis of the channels, and the layout that it makes of a shape. */

import { formatShape, type Layout, sizeOf } from '../../../core/layout.js';
import { showList } from '../../../core/show.js';

/** Takes one axis: Keras writes a list. @throws RangeError for a list of several */
export function oneAxis(axis: number | number[], label: string): number {
  const list = [axis].flat();
  if (list.length !== 1 || !Number.isInteger(list[0])) {
    throw new RangeError(`${label}: axis must be one integer, got ${showList(list)}`);
  }
  return list[0];
}

/** Counts the axis from the front. @throws RangeError if the shape has no such axis */
export function channelAxis(shape: readonly number[], axis: number, label: string): number {
  const place = axis < 0 ? axis + shape.length : axis;
  if (shape.length < 2 || place < 0 || place >= shape.length) {
    throw new RangeError(
      `${label}: expected an input of 2 axes or more, axis ${axis} among them, ` +
        `got shape ${formatShape(shape)}`,
    );
  }
  return place;
}

/** Axes before the channels are samples, axes after them are a plane. */
export function layoutFor(shape: readonly number[], axis: number): Layout {
  const plane = sizeOf(shape.slice(axis + 1));
  return {
    samples: sizeOf(shape.slice(0, axis)),
    channels: shape[axis],
    plane,
    channelsLast: plane === 1,
    dtype: 'float32',
  };
}
