/**
 * The layer on one rank of a backend that cannot be read while a step runs: webgpu. No number
 * leaves the backend; TensorFlow.js differentiates the operations itself.
 */

import {
  add,
  all,
  cast,
  concat,
  div,
  greater,
  isFinite as isFiniteIn,
  logicalAnd,
  maximum,
  mul,
  onesLike,
  reshape,
  rsqrt,
  scalar,
  square,
  sub,
  sum,
  type Tensor,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { NonFiniteRule } from '../../../layers/common-options.js';
import { affineOf, type BuiltInLayer, type LayerWeight } from './built-in.js';

/** Sums over the values of each channel that count. */
class Counted {
  readonly #others: number[];
  /** True where a value counts; broadcasts over the input. Null: all count. */
  readonly #counts: Tensor | null;

  constructor(shape: readonly number[], axis: number, mask: Tensor | null) {
    this.#others = shape.map((_, i) => i).filter((i) => i !== axis);
    if (mask === null) {
      this.#counts = null;
      return;
    }
    const missing = Array<number>(shape.length - 1 - mask.rank).fill(1);
    const places = [...mask.shape, ...missing].toSpliced(axis, 0, 1);
    this.#counts = reshape(cast(mask, 'bool'), places);
  }

  /** Sums over all axes but the channels', which stay as axes of size 1. */
  sums(x: Tensor): Tensor {
    const values = this.#counts === null ? x : where(this.#counts, x, zerosLike(x));
    return sum(values, this.#others, true);
  }
}

/** Computes y by the statistics of the batch, which the moving statistics learn. */
export function trainAlone(
  layer: BuiltInLayer,
  x: Tensor,
  axis: number,
  mask: Tensor | null,
  rule: NonFiniteRule,
): Tensor {
  const counted = new Counted(x.shape, axis, mask);
  const count = mask === null ? scalar(x.size / x.shape[axis]) : counted.sums(onesLike(x));
  const mean = (of: Tensor) => div(counted.sums(of), maximum(count, 1));
  // Two stages: one would lose 2e-5 of y if the mean is 1000 times the deviation.
  const first = mean(x);
  const distance = sub(x, first);
  const rest = mean(distance);
  const centered = sub(distance, rest);
  const variance = mean(square(centered));
  learn(layer, count, add(first, rest), variance, rule);
  const { gamma, beta } = affineOf(layer);
  const across = (vector: Tensor) => reshape(vector, first.shape);
  const invstd = rsqrt(add(variance, layer.epsilon));
  const y = mul(centered, gamma === null ? invstd : mul(invstd, across(gamma)));
  return beta === null ? y : add(y, across(beta));
}

/** moving = momentum * moving + (1 - momentum) * batch, the variance biased. */
function learn(
  { movingMean, movingVariance, momentum }: BuiltInLayer,
  count: Tensor,
  mean: Tensor,
  variance: Tensor,
  rule: NonFiniteRule,
): void {
  // Channels of nothing, and with NaN or infinity, teach nothing.
  const hasValues = all(greater(count, 0));
  const isKnown = all(isFiniteIn(concat([mean, variance])));
  const learns = rule === 'skip' ? logicalAnd(hasValues, isKnown) : hasValues;
  const move = (weight: LayerWeight, batch: Tensor) => {
    const old = weight.read();
    const next = add(mul(old, momentum), mul(reshape(batch, old.shape), 1 - momentum));
    weight.write(where(learns, next, old));
  };
  move(movingMean, mean);
  move(movingVariance, variance);
}
