/**
 * Two networks, each written twice: cut at its normalisations, and uncut in plain jax-js with the
 * whole batch's statistics, which is what the cut one must agree with on any number of ranks.
 */

import { nn, numpy as np } from '@jax-js/jax';
import { SyncBatchNorm, type SyncBatchNormOptions } from 'syncbn';
import {
  again,
  convolve,
  maxPool,
  type Network,
  network,
  type Stage,
  stage,
  type Tree,
} from 'syncbn/jax';
import { CLASSES, crossEntropy, plainNorm, randomArray } from './parts.js';

type Affine = { weight: np.Array; bias: np.Array };

/** Two linear layers with a norm each, and a head. Input (N, 6). */
export const mlp = {
  shape: [6],
  cut(options: SyncBatchNormOptions = {}) {
    return network(
      {
        linear1: stage(
          () => ({ w: randomArray([6, 12], 1) }),
          (x, { w }) => np.dot(x, w),
        ),
        bn1: new SyncBatchNorm(12, { name: 'bn1', ...options }),
        linear2: stage(
          () => ({ w: randomArray([12, 8], 2, 0.5), b: randomArray([8], 3) }),
          (x, { w, b }) => np.dot(nn.relu(x), w).add(b),
        ),
        bn2: new SyncBatchNorm(8, { name: 'bn2', ...options }),
        head: stage(
          () => ({ w: randomArray([8, CLASSES], 4) }),
          (x, { w }) => np.dot(np.tanh(x), w),
        ),
      },
      { loss: crossEntropy },
    );
  },
  uncut(
    p: {
      linear1: { w: np.Array };
      bn1: Affine;
      linear2: { w: np.Array; b: np.Array };
      bn2: Affine;
      head: { w: np.Array };
    },
    x: np.Array,
    labels: np.Array,
    norm = plainNorm,
  ) {
    const first = norm(np.dot(x, p.linear1.w), p.bn1.weight, p.bn1.bias);
    const second = np.dot(nn.relu(first), p.linear2.w).add(p.linear2.b);
    const third = np.tanh(norm(second, p.bn2.weight, p.bn2.bias));
    return crossEntropy(np.dot(third, p.head.w), labels);
  },
};

/**
 * A residual network with three norms. The first skip connection passes two of them; a mask of
 * integers rides along. Input (N, 6, 6, 2).
 */
export const cnn = {
  shape: [6, 6, 2],
  cut(options: SyncBatchNormOptions = {}) {
    const layer = (name: string) => new SyncBatchNorm(4, { name, channelsLast: true, ...options });
    return network(
      {
        conv1: stage(
          () => ({ kernel: randomArray([3, 3, 2, 4], 1, 0.5) }),
          (x, { kernel }) => convolve(x, kernel),
        ),
        bn1: layer('bn1'),
        conv2: stage(
          () => ({ kernel: randomArray([3, 3, 4, 4], 2, 0.4) }),
          (x, { kernel }) => {
            const skip = nn.relu(x);
            const positive = skip.ref.greater(0.1).astype(np.int32);
            return { x: convolve(skip.ref, kernel), carry: { skip, positive } };
          },
        ),
        bn2: layer('bn2'),
        conv3: stage(
          () => ({ kernel: randomArray([3, 3, 4, 4], 3, 0.4) }),
          (x, { kernel }) => convolve(nn.relu(x), kernel),
        ),
        bn3: layer('bn3'),
        add: stage((x, _, { skip, positive }: { skip: np.Array; positive: np.Array }) => ({
          x: nn.relu(x.add(skip.mul(positive.astype(np.float32)))),
          carry: [],
        })),
        head: stage(
          () => ({ w: randomArray([36, CLASSES], 4, 0.3) }),
          (x, { w }) => np.dot(maxPool(x).reshape([-1, 36]), w),
        ),
      },
      { loss: crossEntropy },
    );
  },
  uncut(
    p: {
      conv1: { kernel: np.Array };
      bn1: Affine;
      conv2: { kernel: np.Array };
      bn2: Affine;
      conv3: { kernel: np.Array };
      bn3: Affine;
      add: Record<string, never>;
      head: { w: np.Array };
    },
    x: np.Array,
    labels: np.Array,
    norm = plainNorm,
  ) {
    const first = convolve(x, p.conv1.kernel);
    const skip = nn.relu(norm(first.ref, p.bn1.weight, p.bn1.bias));
    const positive = skip.ref.greater(0.1).astype(np.float32);
    const second = norm(convolve(skip.ref, p.conv2.kernel), p.bn2.weight, p.bn2.bias);
    const third = norm(convolve(nn.relu(second), p.conv3.kernel), p.bn3.weight, p.bn3.bias);
    const sum = nn.relu(third.add(skip.mul(positive)));
    return crossEntropy(np.dot(maxPool(sum).reshape([-1, 36]), p.head.w), labels);
  },
};

/** Batch norm with the statistics of what a mask (N, T) counts. */
function maskedNorm(x: np.Array, mask: np.Array, weight: np.Array, bias: np.Array): np.Array {
  const counts = mask.astype(np.float32).reshape([...mask.shape, 1]);
  const count = np.sum(counts.ref);
  const mean = np.sum(x.ref.mul(counts.ref), [0, 1]).div(count.ref);
  const centered = x.sub(mean);
  const variance = np.sum(np.square(centered.ref).mul(counts), [0, 1]).div(count);
  return centered
    .div(np.sqrt(variance.add(1e-5)))
    .mul(weight)
    .add(bias);
}

/** Positions of a sequence that count: of about two thirds of them. */
const countsOf = (x: np.Array) => np.sum(x, -1).greater(-0.5);

/** Sequences with masks, which come from the batch and ride along. Input (N, 5, 4). */
export const sequence = {
  shape: [5, 4],
  cut(options: SyncBatchNormOptions = {}) {
    const layer = (name: string) => new SyncBatchNorm(6, { name, channelsLast: true, ...options });
    return network(
      {
        linear1: stage(
          () => ({ w: randomArray([4, 6], 1) }),
          (x, { w }) => ({ x: np.dot(x.ref, w), carry: { mask: countsOf(x) } }),
        ),
        bn1: layer('bn1'),
        linear2: stage(
          () => ({ w: randomArray([6, 6], 2) }),
          (x, { w }) => np.dot(np.tanh(x), w),
        ),
        bn2: layer('bn2'),
        head: stage(
          () => ({ w: randomArray([6, CLASSES], 4) }),
          (x, { w }, { mask }: { mask: np.Array }) =>
            np.sum(np.dot(np.tanh(x), w).mul(mask.astype(np.float32).reshape([-1, 5, 1])), 1),
        ),
      },
      {
        loss: crossEntropy,
        masks: {
          bn1: (carry) => (carry as { mask: np.Array }).mask,
          bn2: (carry) => (carry as { mask: np.Array }).mask.astype(np.int32),
        },
      },
    );
  },
  uncut(
    p: {
      linear1: { w: np.Array };
      bn1: Affine;
      linear2: { w: np.Array };
      bn2: Affine;
      head: { w: np.Array };
    },
    x: np.Array,
    labels: np.Array,
  ) {
    const mask = countsOf(x.ref);
    const first = maskedNorm(np.dot(x, p.linear1.w), mask.ref, p.bn1.weight, p.bn1.bias);
    const second = np.dot(np.tanh(first), p.linear2.w);
    const third = np.tanh(maskedNorm(second, mask.ref, p.bn2.weight, p.bn2.bias));
    const counted = np.dot(third, p.head.w).mul(mask.astype(np.float32).reshape([-1, 5, 1]));
    return crossEntropy(np.sum(counted, 1), labels);
  },
};

type Pair = { first: np.Array; second: np.Array };

/** Two halves of the input through the same layers: a siamese network. Input (N, 2, 6). */
export const siamese = {
  shape: [2, 6],
  cut(options: SyncBatchNormOptions = {}) {
    return network(
      {
        split: stage((x) => ({ x: x.ref.slice([], 0), carry: { second: x.slice([], 1) } })),
        dense: stage(
          () => ({ w: randomArray([6, 7], 1) }),
          (x, { w }) => np.dot(x, w),
        ),
        bn: new SyncBatchNorm(7, { name: 'bn', ...options }),
        other: stage((first, _, { second }: Pair) => ({ x: second, carry: { first } })),
        dense2: again('dense'),
        bn2: again('bn'),
        join: stage(
          () => ({ w: randomArray([7, CLASSES], 2) }),
          (second, { w }, { first }: Pair) => ({
            x: np.dot(np.tanh(first.sub(second.ref)).mul(nn.relu(second)), w),
            carry: [],
          }),
        ),
      },
      { loss: crossEntropy },
    );
  },
  uncut(
    p: { dense: { w: np.Array }; bn: Affine; join: { w: np.Array } },
    x: np.Array,
    labels: np.Array,
    norm = plainNorm,
  ) {
    const branch = (half: np.Array, last: boolean) => {
      const [w, weight, bias] = [p.dense.w, p.bn.weight, p.bn.bias].map((a) => (last ? a : a.ref));
      return norm(np.dot(half, w), weight, bias);
    };
    const first = branch(x.ref.slice([], 0), false);
    const second = branch(x.slice([], 1), true);
    const joined = np.tanh(first.sub(second.ref)).mul(nn.relu(second));
    return crossEntropy(np.dot(joined, p.join.w), labels);
  },
};

/** A model by its name, with its parameters and layers as trees that tests can walk. */
export interface TestModel {
  readonly shape: number[];
  cut(options?: SyncBatchNormOptions): Network<Record<string, Stage | SyncBatchNorm>, np.Array>;
  uncut(
    parameters: Tree,
    x: np.Array,
    labels: np.Array,
    norm?: (x: np.Array, weight: np.Array, bias: np.Array) => np.Array,
  ): np.Array;
}

export const models = { mlp, cnn, sequence, siamese } as unknown as Record<
  'mlp' | 'cnn' | 'sequence' | 'siamese',
  TestModel
>;
