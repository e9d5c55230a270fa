/** A trained array of a layer, with its gradient. */

import { checkType } from './checks.js';
import { show } from './show.js';
import { Tensor } from './tensor.js';
import { AnyArray } from './typed-arrays.js';

export class Parameter {
  /** Its layer's name and its own: 'bn1.weight'; only its own for a layer without a name. */
  readonly name: string;
  /** The current value; written in place by optimizers and by `loadStateDict`. */
  readonly data: Tensor;
  /** The gradient of the latest backward pass, of `data`'s shape; null before the first. */
  grad: Tensor | null = null;
  /** False for values that stay as they were set (`affine: false` of GlobalBatchNorm). */
  readonly trainable: boolean;

  /** @throws TypeError for a name that is not a string, data that is not a Tensor, or no boolean */
  constructor(name: string, data: Tensor, trainable = true) {
    checkType(name, 'string', 'Parameter: the name');
    if (!(data instanceof Tensor)) {
      throw new TypeError(`Parameter: the data must be a Tensor, got ${show(data)}`);
    }
    checkType(trainable, 'boolean', 'Parameter: trainable');
    this.name = name;
    this.data = data;
    this.trainable = trainable;
  }
}

/**
 * Drops the gradients of a step: `grad` is null until the next backward pass. Otherwise a parameter
 * that a step does not use gives the average of the step before once more.
 */
export function zeroGradients(parameters: Iterable<Parameter>): void {
  const list = listOf(parameters, 'zeroGradients');
  for (const parameter of list) {
    if (!(parameter instanceof Parameter)) {
      throw new TypeError(`zeroGradients: expected Parameters, got ${show(parameter)}`);
    }
  }
  for (const parameter of list) parameter.grad = null;
}

/** Lists all items. @throws TypeError for anything but a list */
export function listOf<T>(items: Iterable<T>, caller: string): T[] {
  const list = items as Partial<Iterable<T>> | null | undefined;
  // Numbers are not Parameters; and objects that only claim to be arrays cannot be iterated.
  if (typeof list?.[Symbol.iterator] !== 'function' || list instanceof AnyArray) {
    throw new TypeError(`${caller}: expected a list of Parameters, got ${show(items)}`);
  }
  return [...items];
}
