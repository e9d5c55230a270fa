/** How running statistics move: by the kernels, where they lie in their memory. */

import type { FloatArray } from '../core/dtype.js';
import { defaultKernels } from '../kernels/select.js';

/** r = (1 - share) * r + share * sums / divisor. */
export function moveRunning(
  running: FloatArray,
  sums: Float64Array,
  divisor: number,
  share: number,
): void {
  defaultKernels().moveRunning(running, sums, divisor, share);
}
