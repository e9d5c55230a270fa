/**
 * Sums, maxima and minima over the members' slots by WebAssembly SIMD, in the memory of the slots.
 * The results have the bits of {@link reduceRanks}, in a fraction of its time. See
 * assembly/reduce.ts.
 */

import type { Average } from './average.js';
import type { CollectiveArray, ReduceOp } from './transport.js';

/**
 * Elements of the smallest type in one vector. Parts begin at multiples of them, and up to one
 * vector past the last element may be overwritten.
 */
export const REDUCE_STEP = 4;

/**
 * Writes the combination of `members` slots, `stride` bytes apart, the first at address `first`, to
 * address `out`, which may be in one of them. Addresses are multiples of 16.
 * @param bytes of each slot that are combined
 * @param op see {@link opCode}
 */
export type Reduce = (
  out: number,
  first: number,
  stride: number,
  members: number,
  bytes: number,
  op: number,
) => void;

type Averages = (
  out: number,
  first: number,
  stride: number,
  members: number,
  bytes: number,
  weights: number,
  by: number,
) => void;

/** Combines arrays in one memory, by their types. */
export interface Reducer {
  readonly float64: Reduce;
  readonly float32: Reduce;
  readonly int32: Reduce;
  /** As `averageRanks`. Up to 63 bytes past the end of `out` change. */
  readonly average: Average;
}

export function reduceFor(reducer: Reducer, like: CollectiveArray): Reduce {
  if (like instanceof Float64Array) return reducer.float64;
  return like instanceof Float32Array ? reducer.float32 : reducer.int32;
}

/** Number of an operation; 'product' has none. */
export function opCode(op: ReduceOp): number {
  return op === 'sum' ? 0 : op === 'max' ? 1 : 2;
}

/** A `WebAssembly.Memory`, in words that projects without the DOM's types know too. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}

/** The reducer of `module`, a WebAssembly.Module, in `memory`. */
export function instantiateReducer(module: object, memory: WasmMemory): Reducer {
  const exports = new WebAssembly.Instance(module as WebAssembly.Module, {
    env: { memory: memory as WebAssembly.Memory },
  }).exports;
  const [float64, float32, int32] = ['reduceFloat64', 'reduceFloat32', 'reduceInt32'].map(
    (name) => exports[name] as Reduce,
  );
  const average: Average = (out, slots, weights, divisor) => {
    const isWide = out instanceof Float64Array;
    const run = (isWide ? exports.averageFloat64 : exports.averageFloat32) as Averages;
    const by = isWide ? divisor : 1 / divisor;
    const { byteOffset, byteLength } = out;
    const first = slots[0].byteOffset;
    run(byteOffset, first, strideOf(slots), slots.length, byteLength, weights.byteOffset, by);
  };
  return { float64, float32, int32, average };
}

function strideOf(slots: readonly CollectiveArray[]): number {
  return slots.length > 1 ? slots[1].byteOffset - slots[0].byteOffset : 0;
}
