/**
 * The demo's network: two 3 x 3 convolutions of 16 and 32 filters, each normalised, rectified and
 * pooled, a dense layer of 64 units, normalised and rectified, and a dense layer to the classes.
 * Written once; it runs on one rank or on many.
 */

import { jit, nn, numpy as np, tree } from '@jax-js/jax';
import { initializers, type ProcessGroup, SyncBatchNorm } from 'syncbn';
import { convolve, maxPool, network, stage } from 'syncbn/jax';
import { CLASSES, SIDE } from './dataset.js';

const FILTERS = [16, 32] as const;
/** Units of the dense layer that is normalised: a channel of it has one value a sample. */
const UNITS = 64;
/** Pixels along each side after two poolings. */
const POOLED = SIDE / 4;
const MOMENTUM = 0.9;

/**
 * The network of the ranks in `trainers`, which average its gradients, its initial values drawn by
 * `seed`. Statistics are those of the ranks in `peers`.
 */
export function digitsNetwork(trainers: ProcessGroup, peers: ProcessGroup, seed: number) {
  const norm = (channels: number, name: string) =>
    new SyncBatchNorm(channels, { channelsLast: true, processGroup: peers, name });
  const features = POOLED * POOLED * FILTERS[1];
  return network(
    {
      conv1: stage(
        () => ({ kernel: heNormal([3, 3, 1, FILTERS[0]], seed) }),
        (images, { kernel }) => convolve(images, kernel),
      ),
      bn1: norm(FILTERS[0], 'bn1'),
      conv2: stage(
        () => ({ kernel: heNormal([3, 3, FILTERS[0], FILTERS[1]], seed + 1) }),
        (x, { kernel }) => convolve(maxPool(nn.relu(x)), kernel),
      ),
      bn2: norm(FILTERS[1], 'bn2'),
      dense1: stage(
        () => ({ weight: heNormal([features, UNITS], seed + 2) }),
        (x, { weight }) => np.dot(maxPool(nn.relu(x)).reshape([-1, features]), weight),
      ),
      bn3: norm(UNITS, 'bn3'),
      dense2: stage(
        () => ({ weight: heNormal([UNITS, CLASSES], seed + 3), bias: np.zeros([CLASSES]) }),
        (x, { weight, bias }) => np.dot(nn.relu(x), weight).add(bias),
      ),
    },
    { loss: crossEntropy, processGroup: trainers, name: 'digits' },
  );
}

export type DigitsNetwork = ReturnType<typeof digitsNetwork>;
export type DigitsParameters = ReturnType<DigitsNetwork['initialParameters']>;

/** Mean over the samples of -log of the probability of each label. */
function crossEntropy(logits: np.Array, labels: np.Array): np.Array {
  const chosen = nn.logSoftmax(logits).mul(nn.oneHot(labels, CLASSES));
  return np.mean(np.sum(chosen, -1)).mul(-1);
}

/** N(0, 2 / fan_in), the fan being all axes but the last. */
function heNormal(shape: number[], seed: number): np.Array {
  const fan = shape.slice(0, -1).reduce((product, size) => product * size, 1);
  const values = initializers.normal({ sigma: Math.sqrt(2 / fan), seed }).values(shape);
  return np.array(Float32Array.from(values), { shape });
}

/** Parameters and velocities after a step of stochastic gradient descent with momentum. */
export const descend = jit(
  (
    parameters: DigitsParameters,
    velocity: DigitsParameters,
    gradients: DigitsParameters,
    rate: np.Array,
  ) => {
    const moved = tree.map(
      (v: np.Array, g: np.Array) => v.mul(MOMENTUM).add(g),
      velocity,
      gradients,
    ) as DigitsParameters;
    const next = tree.map(
      (p: np.Array, v: np.Array) => p.sub(v.mul(rate.ref)),
      parameters,
      tree.ref(moved),
    ) as DigitsParameters;
    rate.dispose();
    return { parameters: next, velocity: moved };
  },
);
