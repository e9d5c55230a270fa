/** The kernels that layers and tensors get: those of this thread, or others that are passed in. */

import type { Kernels } from '../kernels/kernels.js';
import { defaultKernels } from '../kernels/select.js';

export type { Kernels } from '../kernels/kernels.js';

let handedIn: Kernels | null = null;

/** Returns the kernels for layers and tensors that are made now. */
export function currentKernels(): Kernels {
  return handedIn ?? defaultKernels();
}

/** Makes layers, their parameters and tensors that use `kernels`, for good. */
export function withKernels<T>(kernels: Kernels, make: () => T): T {
  const before = handedIn;
  handedIn = kernels;
  try {
    return make();
  } finally {
    handedIn = before;
  }
}
