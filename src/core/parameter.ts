/** A trained array of a layer, with its gradient. */

import type { Tensor } from './tensor.js';

export class Parameter {
  readonly name: string;
  /** The current value; written in place by optimizers and by `loadStateDict`. */
  readonly data: Tensor;
  /** The gradient of the last backward pass, of `data`'s shape; null before the first. */
  grad: Tensor | null = null;
  /** False for values that stay as they were set (`affine: false` of GlobalBatchNorm). */
  readonly trainable: boolean;

  constructor(name: string, data: Tensor, trainable = true) {
    this.name = name;
    this.data = data;
    this.trainable = trainable;
  }
}
