/**
 * Views of arrays in the kernels' memory. All of it is one buffer, which the engine keeps for any
 * view. Without further care, an array could be collected, and its memory given to another one,
 * while a program still reads a view that it has cut from it.
 *
 * So arrays of this memory that programs see have a `subarray` whose views keep the array, and a
 * `buffer` after whose reading the array's memory is no longer given back by itself: nobody can
 * follow the views that are made of it. They are properties of each array, since a class of its own
 * would show in comparisons (deepStrictEqual) and names.
 */

import type { TensorData } from '../../core/dtype.js';
import { AnyArray, bufferOf } from '../../core/typed-arrays.js';

/** The array that a view was cut from. */
const sources = new WeakMap<TensorData, TensorData>();
/** Arrays whose buffer was read. */
const pinned = new Set<TensorData>();

const cut = (AnyArray.prototype as unknown as Float32Array).subarray;

const PROPERTIES: PropertyDescriptorMap & ThisType<TensorData> = {
  subarray: {
    value(begin?: number, end?: number) {
      const view = cut.call(this, begin, end);
      sources.set(view, this);
      return Object.defineProperties(view, PROPERTIES);
    },
    writable: true,
    configurable: true,
  },
  buffer: {
    get() {
      pinned.add(sourceOf(this));
      return bufferOf(this);
    },
    configurable: true,
  },
};

function sourceOf(view: TensorData): TensorData {
  const source = sources.get(view);
  return source === undefined ? view : sourceOf(source);
}

/** Makes views that a program cuts from `array` keep it; needless for a buffer of its own. */
export function keptByViews<T extends TensorData>(array: T): T {
  if (bufferOf(array).byteLength === array.byteLength) return array;
  return Object.defineProperties(array, PROPERTIES);
}

/** Forgets a pinned array, whose memory is given back. */
export function unpin(array: TensorData): void {
  pinned.delete(array);
}
