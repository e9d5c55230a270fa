/** Layers of whole models made synchronized in place, and back. */

import * as tf from '@tensorflow/tfjs';
import { init } from 'syncbn';
import {
  convertSyncBatchNormalization,
  revertSyncBatchNormalization,
  SyncBatchNormalization,
} from 'syncbn/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';

beforeAll(async () => {
  await init();
  await tf.setBackend('cpu');
});

const { layers } = tf;

const kernel = (seed: number) => tf.initializers.glorotUniform({ seed });

/**
 * A skip connection, and a normalisation in a model inside. Momentum, since Adam would blow up the
 * rounding of gradients that are 0, as those of biases before normalisations are.
 */
function residual(): tf.LayersModel {
  const input = tf.input({ shape: [6, 6, 3] });
  const conv = layers
    .conv2d({ filters: 3, kernelSize: 1, kernelInitializer: kernel(1) })
    .apply(input);
  const norm = layers.batchNormalization({ axis: -1 }).apply(conv);
  const sum = layers.add().apply([norm as tf.SymbolicTensor, input]);
  const inner = tf.sequential({
    layers: [
      layers.conv2d({
        inputShape: [6, 6, 3],
        filters: 2,
        kernelSize: 1,
        kernelInitializer: kernel(2),
      }),
      layers.batchNormalization({}),
    ],
  });
  const flat = layers.flatten().apply(inner.apply(sum));
  const head = layers.dense({ units: 2, activation: 'softmax', kernelInitializer: kernel(3) });
  const model = tf.model({ inputs: input, outputs: head.apply(flat) as tf.SymbolicTensor });
  model.compile({ optimizer: tf.train.momentum(0.01, 0.9), loss: 'categoricalCrossentropy' });
  return model;
}

const x = () => tf.randomNormal([8, 6, 6, 3], 1, 2, 'float32', 1);
const y = () => tf.cast(tf.oneHot(tf.tensor1d([0, 1, 0, 1, 0, 1, 1, 0], 'int32'), 2), 'float32');

const predict = (model: tf.LayersModel) => (model.predict(x()) as tf.Tensor).dataSync();

function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    // Probabilities of float32: some units in their last place.
    expect(Math.abs(actual[i] - expected[i])).toBeLessThan(5e-7);
  }
}

async function saved(model: tf.LayersModel): Promise<tf.io.ModelArtifacts> {
  let kept!: tf.io.ModelArtifacts;
  const handler = tf.io.withSaveHandler(async (artifacts) => {
    kept = artifacts;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  });
  await model.save(handler);
  return kept;
}

const classesOf = (model: tf.LayersModel): string[] =>
  model.layers.flatMap((layer) => [
    layer.getClassName(),
    ...(layer instanceof tf.LayersModel ? classesOf(layer) : []),
  ]);

describe('convertSyncBatchNormalization', () => {
  it('keeps predictions, names, the compiled state and the moments', async () => {
    const model = residual();
    const twin = residual();
    twin.setWeights(model.getWeights());
    for (const each of [model, twin]) await each.trainOnBatch(x(), y());
    const before = predict(model);
    const names = model.layers.map(({ name }) => name);
    expect(convertSyncBatchNormalization(model)).toBe(model);
    expect(classesOf(model).filter((name) => name.includes('Batch'))).toEqual([
      'SyncBatchNormalization',
      'SyncBatchNormalization',
    ]);
    expectSame(predict(model), before);
    expect(model.layers.map(({ name }) => name)).toEqual(names);
    for (const each of [model, twin]) await each.trainOnBatch(x(), y());
    expect(model.optimizer.iterations).toBe(2);
    model.getWeights().forEach((weight, i) => {
      const values = twin.getWeights()[i].dataSync();
      weight.dataSync().forEach((value, k) => {
        expect(value).toBeCloseTo(values[k], 5);
      });
    });
  });

  it('reaches layers in wrappers, and shared ones once', async () => {
    const shared = layers.batchNormalization({});
    const input = tf.input({ shape: [4, 3] });
    const wrapped = layers.timeDistributed({ layer: layers.batchNormalization({}) });
    const twice = shared.apply(shared.apply(wrapped.apply(input))) as tf.SymbolicTensor;
    const flat = layers.flatten().apply(twice);
    const output = layers.dense({ units: 1 }).apply(flat) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: output });
    convertSyncBatchNormalization(model, { onNonFinite: 'throw' });
    const inner = (wrapped as unknown as { layer: SyncBatchNormalization }).layer;
    expect(inner).toBeInstanceOf(SyncBatchNormalization);
    expect(shared).toBeInstanceOf(SyncBatchNormalization);
    expect(inner.onNonFinite).toBe('throw');
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    expect(await model.trainOnBatch(tf.ones([5, 4, 3]), tf.ones([5, 1]))).toBeGreaterThan(0);
  });

  it.each<[string, object]>([
    ['an axis in a list', { axis: [3], synchronized: true, dtype: 'float32' }],
    [
      "Keras 3's policy of dtypes",
      {
        axis: -1,
        dtype: { module: 'keras', class_name: 'DTypePolicy', config: { name: 'float32' } },
      },
    ],
    ['renorm', { axis: [3], renorm: true, renorm_momentum: 0.9, virtual_batch_size: null }],
    [
      'initializers as Keras writes them',
      {
        gamma_initializer: { class_name: 'Ones', config: {} },
        moving_variance_initializer: { class_name: 'Ones', config: { dtype: 'float32' } },
      },
    ],
  ])('takes models of Keras with %s', async (_, edits) => {
    const artifacts = await saved(residual());
    const topology = JSON.parse(JSON.stringify(artifacts.modelTopology));
    walk(topology, (node) => {
      if (node.class_name === 'BatchNormalization') Object.assign(node.config as object, edits);
    });
    const handler = tf.io.fromMemory({ ...artifacts, modelTopology: topology });
    const model = await tf.loadLayersModel(handler);
    const plain = predict(model);
    expectSame(predict(convertSyncBatchNormalization(model)), plain);
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    expect(await model.trainOnBatch(x(), y())).toBeGreaterThan(0);
  });

  it.each<[unknown, object, RegExp]>([
    [{}, {}, /expected a model or a layer.*npm ls @tensorflow\/tfjs-layers/s],
    [null, {}, /expected a model or a layer/],
    [layers.flatten(), { processGroup: 1 }, /processGroup must be a name/],
    [layers.flatten(), { onNonFinite: 'x' }, /onNonFinite must be one of/],
  ])('refuses %s with %o', (model, options, message) => {
    expect(() => convertSyncBatchNormalization(model as never, options)).toThrow(message);
  });
});

describe('revertSyncBatchNormalization', () => {
  it('makes a model that TensorFlow.js saves and loads by itself', async () => {
    const model = convertSyncBatchNormalization(residual(), { onNonFinite: 'throw' });
    await model.trainOnBatch(x(), y());
    const before = predict(model);
    expect(revertSyncBatchNormalization(model)).toBe(model);
    expectSame(predict(model), before);
    const artifacts = await saved(model);
    const text = JSON.stringify(artifacts.modelTopology);
    expect(text).not.toMatch(/SyncBatch|onNonFinite|on_non_finite|processGroup|process_group/);
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
    expectSame(predict(loaded), before);
  });

  it('leaves a model that can be trained on', async () => {
    const model = revertSyncBatchNormalization(convertSyncBatchNormalization(residual()));
    expect(await model.trainOnBatch(x(), y())).toBeGreaterThan(0);
  });
});

type Node = Record<string, unknown>;

function walk(value: unknown, visit: (node: Node) => void): void {
  if (typeof value !== 'object' || value === null) return;
  visit(value as Node);
  for (const part of Object.values(value)) walk(part, visit);
}
