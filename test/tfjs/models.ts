/** Models and data that are the same on the test's thread and on every rank. */

import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

/** What makes the normalisation: built in or synchronized. */
export type MakeNorm = (args: { name?: string }) => tf.layers.Layer;

const kernel = (seed: number) => tf.initializers.glorotUniform({ seed });

/**
 * Two normalisations, L2, Adam, and accuracy beside the loss; input (N, 6).
 * @param seed of the initial weights, which `distribute` must make the same
 */
export function perceptron(norm: MakeNorm, seed = 0): tf.Sequential {
  const l2 = tf.regularizers.l2({ l2: 0.01 });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({
        inputShape: [6],
        units: 8,
        useBias: false,
        kernelInitializer: kernel(seed + 1),
        kernelRegularizer: l2,
      }),
      norm({}),
      tf.layers.reLU(),
      tf.layers.dense({ units: 8, useBias: false, kernelInitializer: kernel(seed + 2) }),
      norm({}),
      tf.layers.reLU(),
      tf.layers.dense({ units: 3, activation: 'softmax', kernelInitializer: kernel(seed + 3) }),
    ],
  });
  model.compile({
    optimizer: tf.train.adam(0.01),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  return model;
}

export interface Samples {
  x: tf.Tensor2D;
  y: tf.Tensor2D;
}

/** `count` samples of 6 numbers, whose class is the largest of the first three. */
export function samples(count: number, seed = 5): Samples {
  return tf.tidy(() => {
    const x = tf.randomNormal([count, 6], 0, 1, 'float32', seed) as tf.Tensor2D;
    const largest = tf.argMax(tf.slice(x, [0, 0], [count, 3]), 1);
    return { x, y: tf.cast(tf.oneHot(largest, 3), 'float32') as tf.Tensor2D };
  });
}

/** Samples [from, from + count) of a set. */
export function part<T extends tf.Tensor>(
  { x, y }: { x: T; y: T },
  from: number,
  count: number,
): { x: T; y: T } {
  return { x: tf.slice(x, from, count), y: tf.slice(y, from, count) };
}

/** All weights, one after the other. */
export function weightsOf(model: tf.LayersModel): number[] {
  return model.getWeights().flatMap((weight) => Array.from(weight.dataSync()));
}

/** Two inputs of 4 and 3 numbers, two outputs with a loss each. */
export function twoInputs(norm: MakeNorm, seed = 0): tf.LayersModel {
  const { layers } = tf;
  const a = tf.input({ shape: [4], name: 'a' });
  const b = tf.input({ shape: [3], name: 'b' });
  const dense = (units: number, of: number) =>
    layers.dense({ units, useBias: false, kernelInitializer: kernel(seed + of) });
  const both = [dense(5, 1).apply(a), dense(5, 2).apply(b)] as tf.SymbolicTensor[];
  const h = norm({}).apply(layers.concatenate().apply(both) as tf.SymbolicTensor);
  const head = (units: number, name: string, of: number, activation?: 'softmax') =>
    layers
      .dense({
        units,
        name,
        kernelInitializer: kernel(seed + of),
        ...(activation && { activation }),
      })
      .apply(h) as tf.SymbolicTensor;
  const outputs = [head(2, 'kind', 3, 'softmax'), head(1, 'size', 4)];
  const model = tf.model({ inputs: [a, b], outputs });
  model.compile({
    optimizer: tf.train.sgd(0.1),
    loss: { kind: 'categoricalCrossentropy', size: 'meanSquaredError' },
    metrics: ['mae'],
  });
  return model;
}

/** Elements of a dataset for {@link twoInputs}. */
export function pairs(
  count: number,
): { xs: Record<string, number[]>; ys: Record<string, number[]> }[] {
  return tf.tidy(() => {
    const a = tf.randomNormal([count, 4], 0, 1, 'float32', 1).arraySync() as number[][];
    const b = tf.randomNormal([count, 3], 0, 1, 'float32', 2).arraySync() as number[][];
    return a.map((first, i) => ({
      xs: { a: first, b: b[i] },
      ys: { kind: first[0] > 0 ? [1, 0] : [0, 1], size: [b[i][0]] },
    }));
  });
}

/** Sequences of numbers or of words, which a masking layer or an embedding cuts at their ends. */
export const SEQUENCES = ['masking', 'embedding'] as const;
export type SequenceKind = (typeof SEQUENCES)[number];

/** Positions of a sequence, numbers of a position, and words. */
const [POSITIONS, NUMBERS, WORDS] = [5, 4, 9];

/** Two normalisations under one mask; an output for each position. */
export function sequenceModel(kind: SequenceKind, norm: MakeNorm, seed = 0): tf.Sequential {
  const { layers } = tf;
  const dense = (units: number, of: number) =>
    layers.dense({ units, useBias: false, kernelInitializer: kernel(seed + of) });
  const first =
    kind === 'masking'
      ? layers.masking({ inputShape: [POSITIONS, NUMBERS] })
      : layers.embedding({
          ...{ inputDim: WORDS, outputDim: NUMBERS, inputLength: POSITIONS, maskZero: true },
          embeddingsInitializer: kernel(seed + 4),
        });
  const model = tf.sequential({
    layers: [first, norm({}), dense(6, 1), norm({}), layers.reLU(), dense(2, 2)],
  });
  model.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
  return model;
}

/**
 * Sequences with zeros at their ends; `counts` of them follow one another. Of each count the first
 * has no position, and later ones have more.
 */
export function sequences(kind: SequenceKind, counts: number[]): { x: tf.Tensor; y: tf.Tensor } {
  return tf.tidy(() => {
    const lengths = counts.flatMap((n) => Array.from({ length: n }, (_, i) => i % (POSITIONS + 1)));
    const count = lengths.length;
    const positions = tf.reshape(tf.range(0, POSITIONS), [1, POSITIONS]);
    const there = tf.cast(tf.greater(tf.tensor2d(lengths, [count, 1]), positions), 'float32');
    const words = () => tf.floor(tf.randomUniform([count, POSITIONS], 1, WORDS, 'float32', 12));
    const numbers = () => tf.randomNormal([count, POSITIONS, NUMBERS], 1, 2, 'float32', 11);
    const x =
      kind === 'masking' ? tf.mul(numbers(), tf.expandDims(there, 2)) : tf.mul(words(), there);
    return { x, y: tf.randomNormal([count, POSITIONS, 2], 0, 1, 'float32', 13) };
  });
}
