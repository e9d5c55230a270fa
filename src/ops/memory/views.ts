/**
 * Views of arrays in the kernels' memory. All of it is one buffer, which the engine keeps for any
 * view: without more, an array could be collected, and its memory given to another one, while a
 * program still reads a view that it has cut from it.
 *
 * So what programs see of this memory has a `subarray` whose views keep the array, and a `buffer`
 * after which the array's memory is no longer given back by itself: nobody can follow the views
 * that are made of it. Properties of each array, since a class of its own would show in
 * comparisons (deepStrictEqual) and names.
 */

import type { TensorData } from '../../core/dtype.js';
import { AnyArray, bufferOf } from '../../core/typed-arrays.js';

/** The array that a view was cut from. */
const sources = new WeakMap<TensorData, TensorData>();
/** Arrays whose buffer was asked for. */
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

/** `array`, kept by what a program cuts from it. Arrays with a buffer of their own need nothing. */
export function keptByViews<T extends TensorData>(array: T): T {
  if (bufferOf(array).byteLength === array.byteLength) return array;
  return Object.defineProperties(array, PROPERTIES);
}

/** Ends that: the array's memory is given back. */
export function unpin(array: TensorData): void {
  pinned.delete(array);
}
