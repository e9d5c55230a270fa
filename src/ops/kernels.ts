/** Which kernels layers and tensors get: those of this thread, or others that are handed in. */

import type { Kernels } from '../kernels/kernels.js';
import { defaultKernels } from '../kernels/select.js';

export type { Kernels } from '../kernels/kernels.js';

let handedIn: Kernels | null = null;

/** The kernels for what is made now. */
export function currentKernels(): Kernels {
  return handedIn ?? defaultKernels();
}

/** What `make` makes stands on `kernels`, for good: layers, their parameters, tensors. */
export function withKernels<T>(kernels: Kernels, make: () => T): T {
  const before = handedIn;
  handedIn = kernels;
  try {
    return make();
  } finally {
    handedIn = before;
  }
}
