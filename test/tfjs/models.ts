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
export function part({ x, y }: Samples, from: number, count: number): Samples {
  return {
    x: tf.slice(x, [from, 0], [count, x.shape[1]]),
    y: tf.slice(y, [from, 0], [count, y.shape[1]]),
  };
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
