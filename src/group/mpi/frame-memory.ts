/**
 * Memory of frames. It is a WebAssembly memory if the engine has SIMD, so that frames which MPI has
 * received are added up in place: 2049 float64 of two ranks take 0.4 µs so, a loop in JavaScript
 * 0.8 or more, and MPICH's MPI_Reduce_local 1.2.
 *
 * It is not shared: copies to and from shared arrays take V8 four times as long. It cannot grow, so
 * it never moves.
 */

import { decode } from '../../core/binary-text.js';
import { instantiateReducer } from '../reducer.js';
import type { FrameMemory } from '../rounds/frames.js';
import { reduce as binary } from './generated/reduce.js';
import { addressOf, type Koffi } from './library/koffi.js';
import { NativeMemory } from './library/memory.js';

/** Memory of frames whose address MPI and other processes know; it never moves. */
export interface NativeFrameMemory extends FrameMemory {
  /** Address of the first byte, a multiple of 64. */
  readonly address: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Int32Array<ArrayBuffer>;
  /** Gives the memory back; no view of it may be touched after. */
  free(): void;
}

/** Bytes of a page of WebAssembly's memory. */
const PAGE_BYTES = 65536;

let module: WebAssembly.Module | undefined;

/** Memories in use. Without this set, memory that only MPI still writes to might be collected. */
const kept = new Set<WebAssembly.Memory>();

export function createFrameMemory(koffi: Koffi, size: number): NativeFrameMemory {
  // V8 reserves gigabytes of addresses for each memory: not for a few numbers.
  if (size < PAGE_BYTES) return outsideWebAssembly(koffi, size);
  try {
    return inWebAssembly(koffi, size);
  } catch {
    return outsideWebAssembly(koffi, size);
  }
}

function outsideWebAssembly(koffi: Koffi, size: number): NativeFrameMemory {
  const memory = new NativeMemory(koffi, size);
  const { address, bytes, words } = memory;
  return { address, bytes, words, reduce: null, free: () => memory.free() };
}

/**
 * Makes frame memory in WebAssembly alone.
 * @throws Error if the engine has no WebAssembly with SIMD
 */
export function inWebAssembly(koffi: Koffi, size: number): NativeFrameMemory {
  module ??= new WebAssembly.Module(decode(binary));
  const pages = Math.ceil(size / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const reduce = instantiateReducer(module, memory);
  const bytes = new Uint8Array(memory.buffer);
  const address = addressOf(koffi, bytes);
  kept.add(memory);
  const free = () => {
    kept.delete(memory);
  };
  return { address, bytes, words: new Int32Array(memory.buffer), reduce, free };
}
