/** BatchMatMul with transposed operands, as in the gradients of dense layers. */

import {
  type BatchMatMulAttrs,
  type BatchMatMulInputs,
  matMul,
  type Tensor,
  transpose,
} from '@tensorflow/tfjs-core';
import { composed, type Kernel } from './kernel.js';

type MatMul = Kernel<BatchMatMulInputs, BatchMatMulAttrs>;

/**
 * Transposes first: the backend's own kernel, `own`, is fast for single products of matrices that
 * are not transposed, and slow for every other product.
 */
export function transposingMatMul(own: MatMul): MatMul {
  return (call) => {
    const { a, b } = call.inputs;
    const { transposeA, transposeB } = call.attrs;
    const isTransposed = transposeA || transposeB;
    if (!isTransposed || !isSingle(a.shape) || !isSingle(b.shape) || a.dtype !== 'float32') {
      return own(call);
    }
    return composed<BatchMatMulInputs, BatchMatMulAttrs>((tensors) =>
      matMul(
        transposeA ? swapLastAxes(tensors.a) : tensors.a,
        transposeB ? swapLastAxes(tensors.b) : tensors.b,
      ),
    )(call);
  };
}

/** True if a batch of matrices is one matrix. */
function isSingle(shape: readonly number[]): boolean {
  return shape.slice(0, -2).every((size) => size === 1);
}

function swapLastAxes(x: Tensor): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  const last = axes.length - 1;
  return transpose(x, [...axes.slice(0, -2), last, last - 1]);
}
