/** The memory of a segment: a memory that WebAssembly can add in, if the engine has it. */

import type { WasmMemory } from '../reducer.js';

/**
 * Makes the memory of a new segment: WebAssembly's if the engine has shared ones. Its pages are
 * allocated on first use like those of any other shared buffer.
 */
export function createSegmentMemory(bytes: number): WasmMemory | SharedArrayBuffer {
  const pages = Math.ceil(bytes / 65536);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch {
    return new SharedArrayBuffer(bytes);
  }
}
