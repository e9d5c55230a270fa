/**
 * Combination of the members' slots: by WebAssembly SIMD in the segment itself, or by plain loops
 * where the segment is not a WebAssembly memory. Both give the same bits.
 */

import { decode } from '../../core/binary-text.js';
import { reduceRanks } from '../reduce.js';
import { instantiateReducer, type Reducer } from '../reducer.js';
import { reduce as binary, frequent } from './generated/reduce.js';

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

/** The reducer for slots in `memory`, all of them equally far apart. */
export function reducerIn(memory: WebAssembly.Memory | SharedArrayBuffer): Reducer {
  if (memory instanceof SharedArrayBuffer) return reduceSlots;
  module ??= new WebAssembly.Module(decode(binary, frequent));
  return instantiateReducer(module, memory);
}

const reduceSlots: Reducer = (out, slots, op, from, to) => reduceRanks(out, slots, op, from, to);
