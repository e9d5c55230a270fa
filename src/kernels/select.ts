/** The kernels of this thread: WebAssembly if the engine has all that it needs, else plain. */

import type { Kernels } from './kernels.js';
import { plainKernels } from './plain.js';
import { createEngine } from './wasm/engine.js';
import { WasmKernels } from './wasm/kernels.js';

let selected: Kernels | undefined;

/** The kernels of this thread, made at the first call. */
export function defaultKernels(): Kernels {
  selected ??= createKernels();
  return selected;
}

/** Makes WebAssembly kernels with a memory of their own, or the plain kernels and one warning. */
export function createKernels(create = createEngine): Kernels {
  try {
    return new WasmKernels(create());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    warnOnce(
      'syncbn: no WebAssembly SIMD with shared memory here, ' +
        `so slow plain kernels serve: ${reason}`,
    );
    return plainKernels;
  }
}

let warned = false;

function warnOnce(message: string): void {
  if (!warned) console.warn(message);
  warned = true;
}
