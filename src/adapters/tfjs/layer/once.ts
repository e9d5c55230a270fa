/** Gradients that refuse to be differentiated again. */

import { customGrad, type Tensor } from '@tensorflow/tfjs-core';

/**
 * Returns `value`, a function of `inputs` that no operation of TensorFlow.js has computed. A second
 * gradient would take it for a constant: wrong without a word.
 */
export function differentiableOnce(value: Tensor, inputs: Tensor[], label: string): Tensor {
  const gradFunc = () => {
    throw new Error(`${label}: gradients of gradients are not supported`);
  };
  return customGrad(() => ({ value, gradFunc }))(...inputs);
}
