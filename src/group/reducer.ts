/**
 * Sums, maxima and minima over the members' slots by WebAssembly SIMD, in the memory where the slots
 * lie: the bits of {@link reduceRanks}, in a fraction of its time. See assembly/reduce.ts.
 */

import type { Average } from './average.js';
import type { CollectiveArray, ReduceOp } from './transport.js';

/** out[i] = op(slots[0][i], slots[1][i], ...) for i in [from, to); `out` may be one of the slots. */
export interface Reducer {
  (
    out: CollectiveArray,
    slots: readonly CollectiveArray[],
    op: ReduceOp,
    from: number,
    to: number,
  ): void;
  /** As `averageRanks`. Up to 63 bytes past the end of `out` change. */
  readonly average: Average;
}

/**
 * Elements that one vector holds of the smallest type: `from` is a multiple of them, and up to one
 * vector behind `to` may be written.
 */
export const REDUCE_STEP = 4;

type Reduce = (
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

/** A `WebAssembly.Memory`, in words that projects without the DOM's types know too. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}

/**
 * The reducer of `module`, a WebAssembly.Module, for slots in `memory`, which are aligned to 16 bytes and all of them
 * `stride` bytes apart.
 */
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
  const reducer = (
    out: CollectiveArray,
    slots: readonly CollectiveArray[],
    op: ReduceOp,
    from: number,
    to: number,
  ) => {
    const first = slots[0];
    const { length } = slots;
    const stride = strideOf(slots);
    const size = first instanceof Float64Array ? 8 : 4;
    const reduce = size === 8 ? float64 : first instanceof Float32Array ? float32 : int32;
    const start = from * size;
    const bytes = (to - from) * size;
    const code = op === 'sum' ? 0 : op === 'max' ? 1 : 2;
    reduce(out.byteOffset + start, first.byteOffset + start, stride, length, bytes, code);
  };
  return Object.assign(reducer, { average });
}

function strideOf(slots: readonly CollectiveArray[]): number {
  return slots.length > 1 ? slots[1].byteOffset - slots[0].byteOffset : 0;
}
