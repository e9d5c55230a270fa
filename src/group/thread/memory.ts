/** The memory of a segment: one that WebAssembly can add in, where the engine has it. */

import type { WasmMemory } from '../reducer.js';

/**
 * The memory of a new segment: WebAssembly's where the engine has shared ones, whose pages are
 * handed out on first use like those of any other shared buffer.
 */
export function createSegmentMemory(bytes: number): WasmMemory | SharedArrayBuffer {
  const pages = Math.ceil(bytes / 65536);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch {
    return new SharedArrayBuffer(bytes);
  }
}
