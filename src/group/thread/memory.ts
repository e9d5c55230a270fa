/** The memory of a segment: one that WebAssembly SIMD can add in, where the engine has it. */

import { decode } from '../../core/binary-text.js';
import { instantiateReducer, type Reducer, type WasmMemory } from '../reducer.js';
import { reduce as binary, frequent } from './generated/reduce.js';

let module: WebAssembly.Module | undefined;

/**
 * The memory of a new segment: WebAssembly's where the engine has SIMD and shared memories, whose
 * pages are handed out on first use like those of any other shared buffer.
 */
export function createSegmentMemory(bytes: number): WasmMemory | SharedArrayBuffer {
  const pages = Math.ceil(bytes / 65536);
  try {
    module ??= new WebAssembly.Module(decode(binary, frequent));
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch {
    return new SharedArrayBuffer(bytes);
  }
}

/** What combines arrays in `memory`, or null. */
export function reducerIn(memory: WasmMemory | SharedArrayBuffer): Reducer | null {
  if (memory instanceof SharedArrayBuffer) return null;
  module ??= new WebAssembly.Module(decode(binary, frequent));
  return instantiateReducer(module, memory);
}
