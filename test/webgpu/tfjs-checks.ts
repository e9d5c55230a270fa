/** Checks of `syncbn/tfjs` on TensorFlow.js' webgpu backend, against its cpu backend. */

import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';
import { init } from 'syncbn';
import { launch } from 'syncbn/launch';
import { type SyncBatchNormalizationArgs, syncBatchNormalization } from 'syncbn/tfjs';
import { assertClose, assertFailure, type Check, once } from './checks.js';
import type { TfjsReport } from './tfjs-rank.js';

/** Beside 1 + the value. */
const OF_PREDICTIONS = 1e-5;
/** After some training steps. */
const OF_TRAINING = 1e-4;

// Small tensors, too, on the GPU.
tf.env().set('WEBGPU_CPU_FORWARD', false);

const SHAPES: [number[], number][] = [
  [[6, 5], -1],
  [[6, 7, 5], 1],
  [[6, 7, 5], 2],
  [[4, 3, 5, 6], 1],
  [[4, 3, 5, 6], 2],
  [[4, 3, 5, 6], -1],
  [[2, 2, 3, 4, 5], 4],
];

/** Numbers that look like noise; the same on every machine. */
function noise(shape: number[], seed = 0): tf.Tensor {
  const size = shape.reduce((product, axis) => product * axis, 1);
  const value = (_: unknown, i: number) => 2 * Math.sin(12.9898 * (i + 1) + 78.233 * seed) + 0.5;
  return tf.tensor(Float32Array.from({ length: size }, value), shape);
}

const uniform = (minval: number, maxval: number, seed: number) =>
  tf.initializers.randomUniform({ minval, maxval, seed });

/** Options under which no weight is the default. */
const weights = {
  gammaInitializer: uniform(0.5, 1.5, 3),
  betaInitializer: uniform(-1, 1, 4),
  movingMeanInitializer: uniform(-1, 1, 5),
  movingVarianceInitializer: uniform(0.5, 2, 6),
};

/** Runs `f` on a backend; its results as arrays. */
async function on(backend: string, f: () => Promise<tf.Tensor[]>): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const values: Float32Array[] = [];
  for (const x of await f()) values.push(Float32Array.from(await x.data()));
  return values;
}

/** Fails unless webgpu gives what cpu gives. */
async function compare(f: () => Promise<tf.Tensor[]>, tolerance: number): Promise<void> {
  await init();
  const [actual, expected] = [await on('webgpu', f), await on('cpu', f)];
  assert.equal(actual.length, expected.length);
  actual.forEach((values, i) => {
    assertClose(values, expected[i], tolerance, `tensor ${i}`);
  });
}

const predictions = SHAPES.map(([shape, axis]) => ({
  title: `predictions are cpu's for shape ${shape}, axis ${axis}`,
  run: () =>
    compare(async () => {
      const args = { ...weights, axis, inputShape: shape.slice(1) };
      const model = tf.sequential({ layers: [syncBatchNormalization(args)] });
      return [model.predict(noise(shape)) as tf.Tensor];
    }, OF_PREDICTIONS),
}));

/** All weights after some steps of `fit`, and the losses. */
async function trained(shape: number[], args: SyncBatchNormalizationArgs): Promise<tf.Tensor[]> {
  const { layers } = tf;
  const [first, ...rest] = [
    syncBatchNormalization({ ...weights, ...args, inputShape: shape.slice(1) }),
    ...(shape.length > 2 ? [layers.flatten()] : []),
    layers.dense({ units: 3, kernelInitializer: tf.initializers.glorotUniform({ seed: 7 }) }),
  ];
  const model = tf.sequential({ layers: [first, ...rest] });
  model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
  const options = { batchSize: shape[0] / 2, shuffle: false, verbose: 0 };
  const { history } = await model.fit(noise(shape, 1), noise([shape[0], 3], 2), options);
  return [tf.tensor(history.loss as number[]), ...model.getWeights()];
}

const TRAININGS: [string, number[], SyncBatchNormalizationArgs][] = [
  ['with channels last', [8, 3, 3, 4], {}],
  ['of two axes', [16, 5], {}],
  ['with channels first', [8, 4, 3, 3], { axis: 1 }],
  ['of five axes', [4, 2, 3, 2, 5], {}],
  ['without scale', [8, 5], { scale: false }],
  ['without center', [8, 5], { center: false }],
  ['without scale and center', [8, 5], { scale: false, center: false }],
];

const trainings = [
  ...TRAININGS.map(([what, shape, args]) => ({
    title: `one rank trains ${what} as on cpu`,
    run: () => compare(() => trained(shape, args), OF_TRAINING),
  })),
  {
    title: 'one rank trains a masked layer as on cpu',
    run: () =>
      compare(async () => {
        const shape = [8, 6, 3];
        const masking = tf.layers.masking({ inputShape: [6, 3], maskValue: 0 });
        const layer = syncBatchNormalization({ ...weights, momentum: 0 });
        const x = tf.mul(noise(shape), tf.cast(tf.greater(noise([8, 6, 1], 9), 0), 'float32'));
        const model = tf.sequential({ layers: [masking, layer] });
        model.compile({ optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' });
        await model.fit(x, noise(shape, 2), {
          epochs: 2,
          batchSize: 4,
          shuffle: false,
          verbose: 0,
        });
        return model.getWeights();
      }, OF_TRAINING),
  },
  {
    title: 'NaN in a batch leaves the moving statistics as they were',
    run: () =>
      compare(async () => {
        const layer = syncBatchNormalization(weights);
        layer.build([4, 2]);
        const x = tf.tensor2d([1, Number.NaN, 2, 3, 4, 5, 6, 7], [4, 2]);
        layer.apply(x, { training: true });
        return [layer.movingMean.read(), layer.movingVariance.read()];
      }, OF_PREDICTIONS),
  },
  {
    title: 'NaN in a batch is taken over if the layer says so',
    async run() {
      await init();
      const [mean] = await on('webgpu', async () => {
        const layer = syncBatchNormalization({ onNonFinite: 'propagate' });
        layer.apply(tf.tensor2d([1, Number.NaN, 2, 3], [2, 2]), { training: true });
        return [layer.movingMean.read()];
      });
      assert.deepEqual([Number.isNaN(mean[0]), Number.isNaN(mean[1])], [false, true]);
    },
  },
  {
    title: 'a layer that must throw at NaN says that it cannot see it',
    async run() {
      await init();
      await tf.setBackend('webgpu');
      const layer = syncBatchNormalization({ name: 'strict', onNonFinite: 'throw' });
      const train = () => layer.apply(tf.ones([4, 2]), { training: true });
      assert.throws(train, /'strict'.*webgpu backend cannot be read.*onNonFinite: 'throw'/);
    },
  },
  {
    title: 'training leaves no tensor behind',
    async run() {
      await init();
      await tf.setBackend('webgpu');
      const layer = syncBatchNormalization({ inputShape: [4], axis: 1 });
      const model = tf.sequential({ layers: [layer, tf.layers.dense({ units: 1 })] });
      model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
      const [x, y] = [noise([8, 4]), noise([8, 1], 1)];
      await model.trainOnBatch(x, y);
      const before = tf.memory().numTensors;
      for (let i = 0; i < 5; i++) {
        await model.trainOnBatch(x, y);
        tf.dispose(model.predict(x));
      }
      assert.equal(tf.memory().numTensors, before);
    },
  },
];

/** @param script the compiled tfjs-rank.ts */
export function tfjsChecks(script: URL): Check[] {
  const reports = once(async () => {
    const options = { workerNum: 2, timeout: 60, output: 'ignore' as const };
    const results = await launch<TfjsReport>(script, options).done;
    return results.map(({ result }) => result);
  });
  const refusals = (
    ['layer', 'distribute(model)', 'broadcastWeights', 'an optimizer', 'trainingStep'] as const
  ).map((call) => ({
    title: `two ranks are refused at once by ${call}`,
    async run() {
      for (const { refused } of await reports()) {
        assertFailure(
          refused[call],
          /TensorFlow.js' webgpu backend cannot be read while a step runs/,
        );
        assert.match(refused[call].message, /so 2 ranks cannot train on it; use wasm or cpu/);
      }
    },
  }));
  return [
    ...predictions,
    ...trainings,
    ...refusals,
    {
      title: 'metrics of two ranks are refused as scalars, with the way out',
      async run() {
        for (const { refused } of await reports()) {
          assertFailure(refused.averageMetrics, /averageMetrics: .*webgpu.*await its data\(\)/);
        }
      },
    },
    {
      title: 'a rank on cpu learns at once that its peer on webgpu cannot train',
      async run() {
        for (const { mixed } of await reports()) {
          assertFailure(mixed, /webgpu backend cannot be read while a step runs/);
        }
      },
    },
    {
      title: 'two ranks predict after that',
      async run() {
        const factor = 1 / Math.sqrt(1 + 1e-3);
        const expected = [1, 2, 3, 4, 5, 6].map((x) => x * factor);
        for (const { predicted } of await reports()) {
          assertClose(predicted, expected, OF_PREDICTIONS, 'predictions');
        }
      },
    },
  ];
}
