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
/** Values of a sample that the dense layers get. */
const FEATURES = POOLED * POOLED * FILTERS[1];
export const MOMENTUM = 0.9;

/** The parts between two normalisations, in their order: what they do with their parameters. */
export const parts = {
  conv1: (images: np.Array, { kernel }: { kernel: np.Array }) => convolve(images, kernel),
  conv2: (x: np.Array, { kernel }: { kernel: np.Array }) => convolve(maxPool(nn.relu(x)), kernel),
  dense1: (x: np.Array, { weight }: { weight: np.Array }) =>
    np.dot(maxPool(nn.relu(x)).reshape([-1, FEATURES]), weight),
  dense2: (x: np.Array, { weight, bias }: { weight: np.Array; bias: np.Array }) =>
    np.dot(nn.relu(x), weight).add(bias),
};

export const PART_NAMES = Object.keys(parts) as (keyof typeof parts)[];

/** Their initial parameters, drawn by `seed`. */
export const initial = {
  conv1: (seed: number) => ({ kernel: heNormal([3, 3, 1, FILTERS[0]], seed) }),
  conv2: (seed: number) => ({ kernel: heNormal([3, 3, FILTERS[0], FILTERS[1]], seed + 1) }),
  dense1: (seed: number) => ({ weight: heNormal([FEATURES, UNITS], seed + 2) }),
  dense2: (seed: number) => ({
    weight: heNormal([UNITS, CLASSES], seed + 3),
    bias: np.zeros([CLASSES]),
  }),
};

/** What each normalisation gets, of one sample: the channels last. */
export const NORMALIZED = {
  bn1: [SIDE, SIDE, FILTERS[0]],
  bn2: [SIDE / 2, SIDE / 2, FILTERS[1]],
  bn3: [UNITS],
} as const;

export type NormName = keyof typeof NORMALIZED;

/**
 * The network of the ranks in `trainers`, which average its gradients, its initial values drawn by
 * `seed`. Statistics are those of the ranks in `peers`.
 */
export function digitsNetwork(trainers: ProcessGroup, peers: ProcessGroup, seed: number) {
  const norm = (name: NormName) =>
    new SyncBatchNorm(NORMALIZED[name].at(-1) as number, {
      ...{ channelsLast: true, processGroup: peers, name },
    });
  return network(
    {
      conv1: stage(() => initial.conv1(seed), parts.conv1),
      bn1: norm('bn1'),
      conv2: stage(() => initial.conv2(seed), parts.conv2),
      bn2: norm('bn2'),
      dense1: stage(() => initial.dense1(seed), parts.dense1),
      bn3: norm('bn3'),
      dense2: stage(() => initial.dense2(seed), parts.dense2),
    },
    { loss: crossEntropy, processGroup: trainers, name: 'digits' },
  );
}

export type DigitsNetwork = ReturnType<typeof digitsNetwork>;
export type DigitsParameters = ReturnType<DigitsNetwork['initialParameters']>;

/** Mean over the samples of -log of the probability of each label. */
export function crossEntropy(logits: np.Array, labels: np.Array): np.Array {
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
