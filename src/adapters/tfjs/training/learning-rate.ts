/** The learning rate of an optimizer, in any class's form. */

import type { Optimizer } from '@tensorflow/tfjs-core';

interface Rated {
  learningRate?: unknown;
  setLearningRate?: (rate: number) => void;
}

/** Returns NaN for optimizers without a learning rate. */
export function learningRateOf(optimizer: Optimizer): number {
  const { learningRate } = optimizer as Rated;
  return typeof learningRate === 'number' ? learningRate : Number.NaN;
}

export function setLearningRate(optimizer: Optimizer, rate: number): void {
  const rated = optimizer as Rated;
  // SGD and momentum keep a tensor of it.
  if (typeof rated.setLearningRate === 'function') rated.setLearningRate(rate);
  else rated.learningRate = rate;
}
