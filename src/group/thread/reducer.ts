/**
 * Sums, maxima and minima over the members' slots: by WebAssembly SIMD in the segment itself, or
 * by plain loops where the segment is not a WebAssembly memory. Both give the same bits.
 */

import { decode } from '../../core/binary-text.js';
import { reduceRanks } from '../reduce.js';
import type { CollectiveArray, ReduceOp } from '../transport.js';
import { reduce as binary, frequent } from './generated/reduce.js';

/** out[i] = op(slots[0][i], slots[1][i], ...) for i in [from, to), see assembly/reduce.ts. */
export type Reducer = (
  out: CollectiveArray,
  slots: readonly CollectiveArray[],
  op: ReduceOp,
  from: number,
  to: number,
) => void;

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

const OPS: Record<ReduceOp, number> = { sum: 0, max: 1, min: 2 };

let module: WebAssembly.Module | undefined;

/**
 * The memory of a new segment: WebAssembly's where the engine has SIMD and shared memories, whose
 * pages are handed out on first use like those of any other shared buffer.
 */
export function createSegmentMemory(bytes: number): WebAssembly.Memory | SharedArrayBuffer {
  const pages = Math.ceil(bytes / 65536);
  try {
    module ??= new WebAssembly.Module(decode(binary, frequent));
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch {
    return new SharedArrayBuffer(bytes);
  }
}

/** The reducer for slots in `memory`, all of them `stride` bytes apart. */
export function reducerIn(memory: WebAssembly.Memory | SharedArrayBuffer): Reducer {
  if (memory instanceof SharedArrayBuffer) return reduceSlots;
  module ??= new WebAssembly.Module(decode(binary, frequent));
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports;
  const [float64, float32, int32] = ['reduceFloat64', 'reduceFloat32', 'reduceInt32'].map(
    (name) => exports[name] as Reduce,
  );
  return (out, slots, op, from, to) => {
    const first = slots[0];
    const size = out.BYTES_PER_ELEMENT;
    const reduce =
      first instanceof Float64Array ? float64 : first instanceof Float32Array ? float32 : int32;
    const stride = slots.length > 1 ? slots[1].byteOffset - first.byteOffset : 0;
    const start = from * size;
    reduce(
      out.byteOffset + start,
      first.byteOffset + start,
      stride,
      slots.length,
      (to - from) * size,
      OPS[op],
    );
  };
}

const reduceSlots: Reducer = (out, slots, op, from, to) => reduceRanks(out, slots, op, from, to);
