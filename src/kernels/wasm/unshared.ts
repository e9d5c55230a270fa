/**
 * The same kernels over a second memory, for arrays that lie outside the first. V8 copies to and
 * from shared memory word by word, and this one is not shared. It is small, and has all its pages at
 * once: growing it would detach the arrays in it.
 */

import { createEngine, type Engine } from './engine.js';

/** 16 MB, of which the system gives what is touched: copies of two tensors, and arrays of channels. */
const PAGES = 256;
/** End of the import of the memory: its name, its kind, and limits of a shared memory. */
const SHARED = 'memory\x02\x03';

/** @throws if the engine does not give the memory */
export function unsharedEngine(relaxed: boolean): Engine {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  return createEngine({ relaxed, memory: { memory, maxPages: PAGES }, adapt: unshared });
}

/** The binary with the limits of a memory that is not shared. */
function unshared(binary: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary);
  const text = new TextDecoder('latin1').decode(bytes);
  bytes[text.indexOf(SHARED) + SHARED.length - 1] = 1;
  return bytes;
}
