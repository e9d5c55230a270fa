/** A trained array of a layer, with its gradient. */

import type { Tensor } from './tensor.js';

export class Parameter {
  /** Its layer's name and its own: 'bn1.weight'; its own alone for a layer without a name. */
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

/**
 * Forgets the gradients of a step: `grad` is null until the next backward pass. Without it a
 * parameter that a step does not use gives the average of the step before once more.
 */
export function zeroGradients(parameters: Iterable<Parameter>): void {
  for (const parameter of parameters) {
    if (!(parameter instanceof Parameter)) {
      throw new TypeError(`zeroGradients: expected Parameters, got ${typeof parameter}`);
    }
    parameter.grad = null;
  }
}
