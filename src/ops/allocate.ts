/** Tensors in the kernels' memory, where passes read and write them without a copy. */

import { checkDType, computeDType, type DType } from '../core/dtype.js';
import { sizeOf } from '../core/layout.js';
import { Tensor } from '../core/tensor.js';
import { currentKernels, type Kernels } from './kernels.js';
import { keptByViews, unpin } from './memory/views.js';

/**
 * A tensor of zeros in the kernels' memory. The layers take any tensor; these save them copying.
 * Its memory is given back by `dispose()`, at the end of a `using` declaration, or some time after
 * nothing refers to it any more, views that were cut by `data.subarray` included. A loop that never
 * waits for anything should not rely on that: collecting takes a turn of the event loop. Whoever
 * asks for `data.buffer` keeps the memory until `dispose()`.
 * @param dtype default float32
 * @throws RangeError when memory is exhausted: it says what was asked for and what there is
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
 * A tensor of float32 or float64 with the elements of `tensor`, where kernels need no copies; `tensor`
 * itself where memory is exhausted. Its memory returns when nothing refers to it any more.
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
