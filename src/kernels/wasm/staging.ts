/**
 * Staging: places in the kernels' memory through which foreign arrays pass by pieces. There is one
 * for each per-channel argument, and two for x and dy, which results go out through.
 */

import type { DType, FloatArray, TensorData } from '../../core/dtype.js';
import type { Heap } from './heap.js';
import { numberBytes } from './variant.js';

/** Bytes of a staging array for tensors, which stay in the cache on their way. */
export const STAGING_BYTES = 128 << 10;

/** Numbers of a piece that a staging array holds beside a mask and 16-bit elements of that many. */
export function maskedCapacity(dtype: DType): number {
  const bytes = numberBytes(dtype) + 1 + (isHalf(dtype) ? 2 : 0);
  return Math.floor(STAGING_BYTES / bytes / 64) * 64;
}

export function isHalf(dtype: DType): boolean {
  return dtype === 'float16' || dtype === 'bfloat16';
}

/** Per-channel arguments of a call, and their places. */
export const SLOTS = {
  mean: 0,
  invstd: 1,
  weight: 2,
  bias: 3,
  meanDy: 4,
  meanDyXhat: 5,
  out0: 6,
  out1: 7,
} as const;

const ARGUMENTS = Object.keys(SLOTS).length;
/** Slots for the sums of one piece. */
export const PARTS = [ARGUMENTS, ARGUMENTS + 1] as const;

/** The staging array of a per-channel argument, as either type. */
interface ChannelPlace {
  readonly float64: Float64Array;
  readonly float32: Float32Array;
}

export class Staging {
  readonly #heap: Heap;
  readonly #tensors: Float32Array[] = [];
  readonly #channels: (ChannelPlace | undefined)[] = [];

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** Takes the memory of all arrays, for runs of up to `channels` channels. @throws RangeError */
  reserve(channels: number): void {
    for (const index of [0, 1]) this.#tensor(index);
    for (let slot = 0; slot < ARGUMENTS + PARTS.length; slot++) this.channel(slot, channels, 8);
  }

  /** Array `index` (0 or 1) for values of the type of `like`. */
  tensor<T extends TensorData>(index: number, like: T): T;
  tensor(index: number, like: TensorData): TensorData {
    const staged = this.#tensor(index);
    if (like instanceof Float32Array) return staged;
    const { buffer, byteOffset } = staged;
    if (like instanceof Uint16Array) return new Uint16Array(buffer, byteOffset, STAGING_BYTES / 2);
    return new Float64Array(buffer, byteOffset, STAGING_BYTES / 8);
  }

  /** Pointer to array `index`. */
  pointer(index: number): number {
    return this.#tensor(index).byteOffset;
  }

  /** The mask of a piece, after the numbers of array 1 and room for elements of 16 bits. */
  mask(dtype: DType): Uint8Array {
    const { buffer, byteOffset } = this.#tensor(1);
    const capacity = maskedCapacity(dtype);
    return new Uint8Array(buffer, byteOffset + STAGING_BYTES - capacity, capacity);
  }

  /** Elements of 16 bits of a piece whose numbers are in array `index`. */
  halves(index: number, dtype: DType): Uint16Array {
    const { buffer, byteOffset } = this.#tensor(index);
    const capacity = maskedCapacity(dtype);
    return new Uint16Array(buffer, byteOffset + 4 * capacity, capacity);
  }

  /** Views the `length` float64 at `pointer`. */
  view(pointer: number, length: number): Float64Array {
    return this.#heap.view(pointer, length);
  }

  /** Array of a per-channel argument: `length` values or more, float64 or float32. */
  channel(slot: number, length: number, bytes: number): FloatArray {
    let staged = this.#channels[slot];
    if (staged === undefined || staged.float64.length < length)
      staged = this.#enlarge(slot, length);
    return bytes === 8 ? staged.float64 : staged.float32;
  }

  /** Pointer to value `from` of a per-channel array, copied in up to `to` if it is foreign. */
  input(slot: number, array: FloatArray | null, from: number, to: number, bytes: number): number {
    if (array === null) return 0;
    if (array.BYTES_PER_ELEMENT === bytes && this.#heap.owns(array)) {
      return array.byteOffset + from * bytes;
    }
    const staged = this.channel(slot, to - from, bytes);
    for (let c = from; c < to; c++) staged[c - from] = array[c];
    return staged.byteOffset;
  }

  /** Pointer for value `from` of a per-channel result. */
  output(slot: number, array: Float64Array, from: number, to: number): number {
    if (this.#heap.owns(array)) return array.byteOffset + from * 8;
    return this.channel(slot, to - from, 8).byteOffset;
  }

  /** Copies a result out of its staging array, if `output` gave one. */
  deliver(slot: number, array: Float64Array, from: number, to: number): void {
    if (this.#heap.owns(array)) return;
    const staged = this.channel(slot, to - from, 8);
    for (let c = from; c < to; c++) array[c] = staged[c - from];
  }

  /** Makes a larger array for a slot; the old one stays if memory is exhausted. */
  #enlarge(slot: number, length: number): ChannelPlace {
    const float64 = this.#heap.allocate('float64', Math.max(length, 256)) as Float64Array;
    const float32 = new Float32Array(float64.buffer, float64.byteOffset, 2 * float64.length);
    const old = this.#channels[slot];
    if (old !== undefined) this.#heap.release(old.float64);
    const made = { float64, float32 };
    this.#channels[slot] = made;
    return made;
  }

  #tensor(index: number): Float32Array {
    this.#tensors[index] ??= this.#heap.allocate('float32', STAGING_BYTES / 4) as Float32Array;
    return this.#tensors[index];
  }
}
