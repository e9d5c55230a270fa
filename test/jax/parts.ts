/** Data, a loss and norms in plain jax-js, of which the networks of the tests are made. */

import { nn, numpy as np } from '@jax-js/jax';

/** Numbers in [-1, 1) that are the same on every rank (Lehmer's generator). */
export function numbers(count: number, seed: number): Float32Array {
  let state = seed + 1;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  });
}

export function randomArray(shape: number[], seed: number, scale = 1): np.Array {
  const size = shape.reduce((product, axis) => product * axis, 1);
  return np.array(
    numbers(size, seed).map((value) => value * scale),
    { shape },
  );
}

export const CLASSES = 5;

export function crossEntropy(logits: np.Array, labels: np.Array): np.Array {
  const hits = nn.logSoftmax(logits, -1).mul(nn.oneHot(labels, CLASSES));
  return np.sum(hits, -1).mean().neg();
}

/** Batch norm over all axes but the last, of the batch that it is given. */
export function plainNorm(x: np.Array, weight: np.Array, bias: np.Array): np.Array {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  const centered = x.ref.sub(np.mean(x, axes));
  const variance = np.mean(np.square(centered.ref), axes);
  return centered
    .div(np.sqrt(variance.add(1e-5)))
    .mul(weight)
    .add(bias);
}

/** Computes a layer in inference that has not learnt anything: mean 0 and variance 1. */
export function freshNorm(x: np.Array, weight: np.Array, bias: np.Array): np.Array {
  return x
    .div(Math.sqrt(1 + 1e-5))
    .mul(weight)
    .add(bias);
}

/** Images and labels from sample `from` up to `to` of one endless data set. */
export function samples(shape: number[], from: number, to: number): [np.Array, np.Array] {
  const count = to - from;
  const size = shape.reduce((product, axis) => product * axis, 1);
  if (count === 0) {
    return [np.zeros([0, ...shape]), np.zeros([0], { dtype: np.int32 })];
  }
  const values = numbers(to * size, 7).subarray(from * size);
  const labels = Int32Array.from({ length: count }, (_, i) => (3 * (from + i)) % CLASSES);
  return [np.array(Float32Array.from(values), { shape: [count, ...shape] }), np.array(labels)];
}
