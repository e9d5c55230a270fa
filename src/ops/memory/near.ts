/**
 * Copies of tensors that lie outside the kernels' memory. The kernels would copy them by pieces in
 * every stage; those that are small enough are copied in once for a pass, and its result out. One
 * place for each tensor and thread: passes run one at a time, and nothing is kept between them.
 */

import { ARRAYS, type TensorData } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import type { Kernels } from '../kernels.js';

/** Bytes of a tensor that is copied whole: past them it would leave the cache before it is used. */
const MOST = 4 << 20;

/** Places: of x, and of dy, which dx takes over. */
type Slot = 'x' | 'dy';

interface Place {
  readonly memory: Float64Array;
  /** Its beginning, as the tensor that was asked for last. */
  view: TensorData;
}

const places = new WeakMap<Kernels, Partial<Record<Slot, Place>>>();

/** `array`, or a copy of it that the kernels read where it lies. */
export function near(kernels: Kernels, slot: Slot, array: TensorData, layout: Layout): TensorData {
  const place = nearPlace(kernels, slot, array, layout);
  if (place !== array) {
    place.set(array.length === place.length ? array : array.subarray(0, place.length));
  }
  return place;
}

/** `array`, or a place that the kernels write for it; `deliver` brings it there. */
export function nearPlace(
  kernels: Kernels,
  slot: Slot,
  array: TensorData,
  { samples, channels, plane, dtype }: Layout,
): TensorData {
  const length = samples * channels * plane;
  const bytes = length * array.BYTES_PER_ELEMENT;
  if (bytes > MOST || bytes === 0 || kernels.isNear(array)) return array;
  const place = placeOf(kernels, slot, bytes);
  if (place === null) return array;
  const { view, memory } = place;
  if (view.length !== length || view.constructor !== ARRAYS[dtype]) {
    place.view = new ARRAYS[dtype](memory.buffer as ArrayBuffer, memory.byteOffset, length);
  }
  return place.view;
}

/** A place for `bytes` bytes; null: there is no memory for it, and pieces need no more. */
function placeOf(kernels: Kernels, slot: Slot, bytes: number): Place | null {
  const own = places.get(kernels) ?? {};
  places.set(kernels, own);
  const there = own[slot];
  if (there !== undefined && there.memory.byteLength >= bytes) return there;
  try {
    // Powers of two: shapes that change do not take more and more.
    const memory = kernels.allocate('float64', 2 ** Math.ceil(Math.log2(bytes / 8)));
    if (there !== undefined) kernels.release(there.memory);
    own[slot] = { memory, view: memory };
    return own[slot];
  } catch {
    return null;
  }
}

/** Copies a result to where it belongs, if it is not there. */
export function deliver(array: TensorData, result: TensorData): void {
  if (array !== result) array.set(result);
}
