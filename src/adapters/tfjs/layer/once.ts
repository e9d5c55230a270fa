/** Gradients that say that they cannot be differentiated again. */

import { customGrad, type Tensor } from '@tensorflow/tfjs-core';

/**
 * `value`, a function of `inputs` that no operation of TensorFlow.js has computed. To a second
 * gradient it would pass for a constant: wrong without a word.
 */
export function differentiableOnce(value: Tensor, inputs: Tensor[], label: string): Tensor {
  const gradFunc = () => {
    throw new Error(`${label}: gradients of gradients are not supported`);
  };
  return customGrad(() => ({ value, gradFunc }))(...inputs);
}
