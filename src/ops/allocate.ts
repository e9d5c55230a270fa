/** Tensors in the kernels' memory, where passes read and write them without a copy. */

import { checkDType, computeDType, type DType } from '../core/dtype.js';
import { sizeOf } from '../core/layout.js';
import { Tensor } from '../core/tensor.js';
import { currentKernels, type Kernels } from './kernels.js';
import { keptByViews, unpin } from './memory/views.js';

/**
 * Allocates a tensor of zeros in the kernels' memory. The layers take any tensor; they need not
 * copy this one. Its memory is given back by `dispose()`, at the end of a `using` declaration, or
 * some time after nothing refers to it any more, views that were cut by `data.subarray` included. A
 * loop that never waits for anything should not rely on collecting, which takes a turn of the event
 * loop. A program that reads `data.buffer` keeps the memory until `dispose()`.
 * @param dtype default float32
 * @throws RangeError when memory is exhausted, with the size that was asked for and the size that
 *   is free
 */
export function allocateTensor(shape: readonly number[], dtype: DType = 'float32'): Tensor {
  checkDType(dtype, 'allocateTensor');
  // Checks the shape before anything is allocated for it.
  if (!Array.isArray(shape) || !shape.every(isSize)) return Tensor.zeros(shape, dtype);
  const kernels = currentKernels();
  const data = keptByViews(kernels.allocate(dtype, sizeOf(shape)));
  return new Tensor(data, shape, dtype, () => {
    unpin(data);
    kernels.release(data);
  });
}

/**
 * Copies `tensor` to a tensor of float32 or float64 that kernels need not copy; returns `tensor`
 * itself if memory is exhausted. The copy's memory returns when nothing refers to it any more.
 */
export function inKernels(tensor: Tensor, kernels: Kernels): Tensor {
  const { data, shape, dtype } = tensor;
  try {
    const own = keptByViews(kernels.allocate(computeDType(dtype), data.length));
    own.set(data);
    return new Tensor(own, shape, dtype);
  } catch {
    return tensor;
  }
}

function isSize(size: unknown): boolean {
  return Number.isSafeInteger(size) && (size as number) >= 0;
}
