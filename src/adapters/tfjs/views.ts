/** Tensors seen as arrays, and arrays made tensors, without a copy if the backend can. */

import {
  backend,
  engine,
  getBackend,
  type KernelBackend,
  type Tensor,
  type TensorInfo,
  tensor,
} from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/layout.js';

/** The wasm backend's public way to a tensor's values. */
interface HeapBackend extends KernelBackend {
  makeOutput(shape: number[], dtype: 'float32'): TensorInfo;
  typedArrayFromHeap(info: TensorInfo): Float32Array | Int32Array | Uint8Array;
}

/** True if `candidate` is TensorFlow.js' wasm backend, with its values in one memory. */
function isHeapBackend(candidate: object): candidate is HeapBackend {
  return typeof (candidate as Partial<HeapBackend>).typedArrayFromHeap === 'function';
}

/**
 * The values of a tensor as float32: a view on wasm, which the next allocation may invalidate, and
 * the tensor's own array on cpu; a copy elsewhere.
 */
export function floatsOf(x: Tensor): Float32Array {
  const now = backend();
  const values = isHeapBackend(now) ? now.typedArrayFromHeap(x) : x.dataSync();
  // On cpu a cast to float32 leaves the integers' array as it was.
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** A float32 tensor with a copy of `values`. */
export function tensorFrom(values: Float32Array, shape: number[]): Tensor {
  // On cpu the tensor would keep the array itself.
  return tensor(getBackend() === 'cpu' ? values.slice() : values, shape, 'float32');
}

/** True if the present backend shows tensors as arrays without a copy. */
export function hasViews(): boolean {
  return getBackend() === 'cpu' || isHeapBackend(backend());
}

/** {@link floatsOf} of several tensors, all valid together until the next allocation. */
export function viewsOf(...tensors: readonly Tensor[]): Float32Array[] {
  const views = tensors.map(floatsOf);
  // A tensor of another backend was moved here just now, and the memory may have moved, too.
  const isStale = (view: Float32Array, i: number) => view.length !== tensors[i].size;
  return views.some(isStale) ? tensors.map(floatsOf) : views;
}

/** A new tensor and its values, to be written. */
export interface Output {
  readonly tensor: Tensor;
  /** As {@link floatsOf}. */
  values(): Float32Array;
}

/** A float32 tensor whose values may be anything on wasm, and are 0 on cpu. */
export function createOutput(shape: number[]): Output {
  const now = backend();
  if (isHeapBackend(now)) {
    const created = engine().makeTensorFromTensorInfo(now.makeOutput(shape, 'float32'), now);
    return { tensor: created, values: () => floatsOf(created) };
  }
  const values = new Float32Array(sizeOf(shape));
  return { tensor: tensor(values, shape, 'float32'), values: () => values };
}
