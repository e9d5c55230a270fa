/** Shapes that a program passes: lists of sizes, checked and copied. */

import { allocate, type DType, type TensorData } from './dtype.js';
import { formatShape, sizeOf } from './layout.js';
import { show, showList } from './show.js';

/**
 * Copies `shape`. Each size is read once, since reading may run the program's own code.
 * @throws TypeError for anything but a list; RangeError for sizes that are not integers of 0 and more
 */
export function checkShape(shape: unknown, caller: string): number[] {
  if (!Array.isArray(shape)) {
    throw new TypeError(`${caller}: shape must be a list of sizes, got ${show(shape)}`);
  }
  const sizes: number[] = [];
  for (let axis = 0, axes = shape.length; axis < axes; axis++) {
    const size: unknown = shape[axis];
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw new RangeError(`${caller}: sizes are integers of 0 and more, got ${showList(shape)}`);
    }
    // A size of -0 is 0.
    sizes.push((size as number) + 0);
  }
  return sizes;
}

/** Zeroed storage for a checked shape. @throws RangeError when memory is exhausted */
export function allocateFor(shape: readonly number[], dtype: DType, caller: string): TensorData {
  try {
    return allocate(dtype, sizeOf(shape));
  } catch {
    throw new RangeError(`${caller}: no memory for shape ${formatShape(shape)} of ${dtype}`);
  }
}
