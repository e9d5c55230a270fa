/** SyncBatchNormalization against TensorFlow.js' own layer, and where that one fails. */

import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { createGroup, init, release } from 'syncbn';
import { SyncBatchNormalization, syncBatchNormalization } from 'syncbn/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectClose, passesOf } from './gradients.js';

/** Backends by the kernels, and one whose tensors cannot be seen as arrays. */
const BACKENDS = ['cpu', 'wasm', 'other'] as const;

beforeAll(async () => {
  await init();
  tf.registerBackend('other', tf.findBackendFactory('cpu'));
  tf.copyRegisteredKernels('cpu', 'other');
});

const SHAPES: [number[], number][] = [
  [[6, 5], -1],
  [[6, 5], 1],
  [[6, 7, 5], -1],
  [[6, 7, 5], 1],
  [[6, 7, 5], 2],
  [[4, 3, 5, 6], -1],
  [[4, 3, 5, 6], 1],
  [[4, 3, 5, 6], 2],
  [[4, 3, 5, 6], 3],
  [[4, 3, 5, 6], -3],
];

const weights = (name: string) => ({
  name,
  gammaInitializer: tf.initializers.randomUniform({ minval: 0.5, maxval: 1.5, seed: 3 }),
  betaInitializer: tf.initializers.randomUniform({ minval: -1, maxval: 1, seed: 4 }),
});

const random = (shape: number[], mean = 0, deviation = 1, seed = 8) =>
  tf.randomNormal(shape, mean, deviation, 'float32', seed);

describe.each(BACKENDS)('on %s the layer', (backend) => {
  beforeEach(() => tf.setBackend(backend));

  it.each(SHAPES)('equals the built-in one for shape %s, axis %s', (shape, axis) => {
    const x = random(shape, 1, 3, 7);
    const dy = random(shape);
    const own = passesOf(syncBatchNormalization({ ...weights('own'), axis }), shape, x, dy);
    // The built-in layer trains on the last axis only.
    const at = axis < 0 ? axis + shape.length : axis;
    const there = [...shape.keys()].filter((i) => i !== at).concat(at);
    const back = there.map((_, i) => there.indexOf(i));
    const builtIn = passesOf(
      tf.layers.batchNormalization(weights('built-in')),
      there.map((i) => shape[i]),
      x,
      dy,
      [(v) => tf.transpose(v, there), (v) => tf.transpose(v, back)],
    );
    expectClose(own, builtIn, 1e-6);
  });

  it.each([{ scale: false }, { center: false }, { scale: false, center: false }, { axis: 1 }])(
    'trains with %o, where the built-in one fails',
    async (args) => {
      const build = (norm: (args: object) => tf.layers.Layer) => {
        const model = tf.sequential({
          layers: [
            norm({ inputShape: [3, 4], ...args }),
            tf.layers.flatten(),
            tf.layers.dense({ units: 1 }),
          ],
        });
        model.compile({ optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' });
        return model;
      };
      const x = random([8, 3, 4]);
      const target = tf.ones([8, 1]);
      await expect(build(tf.layers.batchNormalization).trainOnBatch(x, target)).rejects.toThrow();
      const model = build(syncBatchNormalization);
      const losses: number[] = [];
      for (let i = 0; i < 5; i++) losses.push((await model.trainOnBatch(x, target)) as number);
      expect(losses[4]).toBeLessThan(losses[0]);
      const { scale = true, center = true } = args as { scale?: boolean; center?: boolean };
      expect(model.layers[0].trainableWeights.length).toBe(Number(scale) + Number(center));
    },
  );

  it('equals itself on 4 axes for inputs of 5', () => {
    const x = random([2, 2, 3, 4, 5], 1, 2);
    const dy = random([2, 2, 3, 4, 5], 0, 1, 9);
    const five = passesOf(syncBatchNormalization(weights('five')), x.shape, x, dy);
    const shape = [2, 6, 4, 5];
    const four = passesOf(
      syncBatchNormalization(weights('four')),
      shape,
      tf.reshape(x, shape),
      tf.reshape(dy, shape),
    );
    expectClose(five, four, 1e-6);
  });

  it.each(['int32', 'bool'] as const)('takes inputs of %s', (dtype) => {
    const values = [1, 0, 0, 0, 1, 1];
    const run = (of: tf.DataType) => {
      const layer = syncBatchNormalization({ name: `of_${of}` });
      const y = layer.apply(tf.tensor2d(values, [3, 2], of as 'int32'), { training: true });
      return Array.from((y as tf.Tensor).dataSync());
    };
    expect(run(dtype)).toEqual(run('float32'));
  });

  it('is exact far from 0', () => {
    const x = random([64, 3], 1000, 0.1);
    const layer = syncBatchNormalization({ epsilon: 1e-5 });
    const y = (layer.apply(x, { training: true }) as tf.Tensor).dataSync();
    const values = x.dataSync();
    for (let c = 0; c < 3; c++) {
      const column = Array.from({ length: 64 }, (_, i) => values[3 * i + c]);
      const mean = column.reduce((a, b) => a + b, 0) / 64;
      const variance = column.reduce((a, b) => a + (b - mean) ** 2, 0) / 64;
      column.forEach((value, i) => {
        const expected = (value - mean) / Math.sqrt(variance + 1e-5);
        const error = Math.abs(y[3 * i + c] - expected);
        expect(error / (1 + Math.abs(expected))).toBeLessThan(backend === 'other' ? 2e-6 : 1e-6);
      });
    }
  });

  it('skips, takes over or refuses NaN as it is told', () => {
    const x = tf.tensor2d([1, Number.NaN, 3, 4, 5, 6], [3, 2]);
    const run = (onNonFinite: 'skip' | 'propagate' | 'throw') => {
      const layer = syncBatchNormalization({ onNonFinite, name: `on_${onNonFinite}` });
      const y = layer.apply(x, { training: true }) as tf.Tensor;
      const values = y.dataSync();
      expect(values[0]).toBeCloseTo(-1.2245, 3);
      expect(values[1]).toBeNaN();
      const mean = (layer as unknown as { movingMean: { read(): tf.Tensor } }).movingMean.read();
      return { layer, mean: Array.from(mean.dataSync()) };
    };
    expect(run('skip').mean).toEqual([0, 0]);
    expect(run('skip').layer.skippedUpdates).toBe(1);
    expect(run('propagate').mean[1]).toBeNaN();
    const before = tf.memory().numTensors;
    expect(() => run('throw')).toThrow(/SyncBatchNormalization 'on_throw'.*NaN or infinity/);
    // Its four weights.
    expect(tf.memory().numTensors).toBe(before + 4);
  });

  it('goes back through each of several calls', () => {
    const x = [random([5, 3]), random([5, 3], 2, 3, 9)];
    const cost = (norm: (args: object) => tf.layers.Layer) => {
      const layer = norm({ name: 'shared' });
      layer.build([5, 3]);
      const grad = tf.grads((a, b) => {
        const calls = [a, b, a].map((v) => layer.apply(v, { training: true }) as tf.Tensor);
        return tf.sum(tf.mul(calls[0], tf.square(tf.add(calls[1], tf.tanh(calls[2])))));
      });
      return grad(x).flatMap((g) => Array.from(g.dataSync()));
    };
    const own = cost(syncBatchNormalization);
    cost(tf.layers.batchNormalization).forEach((value, i) => {
      expect(own[i]).toBeCloseTo(value, 4);
    });
  });

  it('says that it has no second gradient', () => {
    const layer = syncBatchNormalization({});
    layer.build([4, 2]);
    const cost = (x: tf.Tensor) =>
      tf.sum(tf.pow(layer.apply(x, { training: true }) as tf.Tensor, 3)) as tf.Scalar;
    const second = tf.grad((x) => tf.sum(tf.square(tf.grad(cost)(x))) as tf.Scalar);
    expect(() => second(random([4, 2]))).toThrow(/gradients of gradients are not supported/);
  });

  it('leaves no tensor and no data behind', async () => {
    const model = tf.sequential({
      layers: [syncBatchNormalization({ inputShape: [4] }), tf.layers.dense({ units: 1 })],
    });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const [x, y] = [random([8, 4]), tf.ones([8, 1])];
    await model.trainOnBatch(x, y);
    const count = () => [tf.memory().numTensors, tf.engine().backend.numDataIds()];
    const before = count();
    for (let i = 0; i < 20; i++) {
      await model.trainOnBatch(x, y);
      tf.dispose(model.predict(x));
      tf.dispose(model.evaluate(x, y));
    }
    expect(count()).toEqual(before);
  });
});

describe('the layer', () => {
  beforeEach(() => tf.setBackend('cpu'));
  afterEach(() => init());

  const layerOf = (args: object) => syncBatchNormalization({ inputShape: [3], ...args });

  it('predicts without a world, and says that training needs one', () => {
    release();
    const model = tf.sequential({ layers: [layerOf({})] });
    const predicted = model.predict(tf.ones([2, 3])) as tf.Tensor;
    expect(predicted.shape).toEqual([2, 3]);
    expect(() => model.apply(tf.ones([2, 3]), { training: true })).toThrow(/call init\(\) first/);
  });

  it('comes back from a saved model with all that it was', async () => {
    createGroup('mine', [0]);
    const model = tf.sequential({
      layers: [
        layerOf({ axis: 1, momentum: 0.5, epsilon: 0.01, scale: false, processGroup: 'mine' }),
        syncBatchNormalization({ onNonFinite: 'throw', name: 'second' }),
      ],
    });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    await model.trainOnBatch(random([8, 3], 2, 3), tf.ones([8, 3]));
    let saved!: tf.io.ModelArtifacts;
    const keep = tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    });
    await model.save(keep);
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(saved));
    const [first, second] = loaded.layers as SyncBatchNormalization[];
    expect(first).toBeInstanceOf(SyncBatchNormalization);
    expect(loaded.layers.map((layer) => layer.getConfig())).toEqual(
      model.layers.map((layer) => layer.getConfig()),
    );
    expect([first.processGroup, second.onNonFinite]).toEqual(['mine', 'throw']);
    const x = random([4, 3]);
    const [own, other] = [model, loaded].map((m) => (m.predict(x) as tf.Tensor).dataSync());
    expect(other).toEqual(own);
  });

  it('writes the name of a group that it was given as an object', () => {
    const processGroup = createGroup('mine', [0]);
    expect(layerOf({ processGroup }).getConfig()).toMatchObject({ processGroup: 'mine' });
  });

  it('stands in the summary, and shifts no automatic name', () => {
    const lines: string[] = [];
    const model = tf.sequential({ layers: [layerOf({ name: 'norm' })] });
    model.summary(undefined, undefined, (line) => lines.push(line));
    expect(lines.join('\n')).toMatch(/norm \(SyncBatchNormaliza/);
    const [a, b] = [1, 2].map(() => tf.layers.batchNormalization().name.match(/\d+$/)?.[0]);
    expect(Number(b)).toBe(Number(a) + 1);
  });

  it.each<[object, RegExp]>([
    [{ axis: [1, 2] }, /axis must be one integer, got \[1, 2\]/],
    [{ processGroup: 3 }, /processGroup must be a name, a ProcessGroup or null, got 3/],
    [{ onNonFinite: 'ignore' }, /onNonFinite must be one of skip, propagate, throw, got 'ignore'/],
  ])('refuses %o', (args, message) => {
    expect(() => layerOf(args)).toThrow(message);
  });

  it('takes an axis in a list, as Keras writes it', () => {
    expect(layerOf({ axis: [1] }).axis).toBe(1);
  });

  it('names an unknown group when it trains', () => {
    const layer = layerOf({ processGroup: 'nobody', name: 'bn' });
    expect(() => layer.apply(tf.ones([2, 3]), { training: true })).toThrow(
      /SyncBatchNormalization 'bn'.*unknown group 'nobody'/,
    );
  });
});
