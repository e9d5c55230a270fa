/** Keras' masks: the statistics are of what counts, and the gradients those of the formulas. */

import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { init } from 'syncbn';
import { syncBatchNormalization } from 'syncbn/tfjs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { MaskedScript, TrainingReport } from '../ranks/run-tfjs.js';
import { type MakeNorm, part, SEQUENCES, sequenceModel, sequences, weightsOf } from './models.js';

const BACKENDS = ['cpu', 'wasm', 'other'] as const;
const EPSILON = 1e-3;

beforeAll(async () => {
  await init();
  tf.registerBackend('other', tf.findBackendFactory('cpu'));
  tf.copyRegisteredKernels('cpu', 'other');
});
afterAll(closeSharedWorlds);

/** The same by TensorFlow.js' operations, whose gradients it finds itself. */
function reference(x: tf.Tensor, mask: tf.Tensor, others: number[]): tf.Tensor {
  const weights = tf.mul(tf.cast(mask, 'float32'), tf.onesLike(x));
  const count = tf.sum(weights, others, true);
  const mean = tf.div(tf.sum(tf.mul(x, weights), others, true), count);
  const squares = tf.mul(tf.square(tf.sub(x, mean)), weights);
  const variance = tf.div(tf.sum(squares, others, true), count);
  return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, EPSILON)));
}

/** Largest difference beside the largest number. */
function worst(got: tf.Tensor, want: tf.Tensor): number {
  expect(got.shape).toEqual(want.shape);
  return tf.div(tf.max(tf.abs(tf.sub(got, want))), tf.max(tf.abs(want))).dataSync()[0];
}

const random = (shape: number[], seed: number) => tf.randomNormal(shape, 1, 2, 'float32', seed);

describe.each(BACKENDS)('on %s a mask', (backend) => {
  beforeEach(() => tf.setBackend(backend));

  it.each<[number[], number, number[]]>([
    [[6, 7, 5], -1, [6, 7]],
    [[6, 7, 5], 1, [6, 5]],
    [[4, 3, 5, 6], -1, [4, 3, 5]],
    [[4, 3, 5, 6], -1, [4, 3]],
    [[4, 3, 5, 6], 2, [4, 3]],
    [[6, 7, 5], -1, [6]],
    [[9, 5], -1, [9]],
  ])('of an input of shape %s, axis %s, may have shape %s', (shape, axis, places) => {
    const x = random(shape, 3);
    const dy = random(shape, 4);
    const mask = tf.greater(random(places, 5), 0.5);
    const at = axis < 0 ? axis + shape.length : axis;
    const others = shape.map((_, i) => i).filter((i) => i !== at);
    const wide = places.concat(Array(others.length - places.length).fill(1));
    const across = tf.reshape(mask, wide.toSpliced(at, 0, 1));
    const layer = syncBatchNormalization({ axis, epsilon: EPSILON, momentum: 0 });
    layer.build(shape);
    const run = (v: tf.Tensor) => layer.apply(v, { training: true, mask }) as tf.Tensor;
    const own = tf.valueAndGrad(run)(x, dy);
    const want = tf.valueAndGrad((v: tf.Tensor) => reference(v, across, others))(x, dy);
    expect(worst(own.value, want.value)).toBeLessThan(2e-6);
    expect(worst(own.grad, want.grad)).toBeLessThan(5e-6);
  });

  it('leaves what it does not count out of the moving statistics, NaN included', () => {
    const layer = syncBatchNormalization({ momentum: 0 });
    const x = tf.tensor2d([1, 3, Number.NaN, 5], [4, 1]);
    const mask = tf.tensor1d([1, 1, 0, 1], 'bool');
    layer.apply(x, { training: true, mask });
    expect(layer.movingMean.read().dataSync()[0]).toBeCloseTo(3, 6);
    expect(layer.movingVariance.read().dataSync()[0]).toBeCloseTo(8 / 3, 5);
    expect(layer.skippedUpdates).toBe(0);
  });

  it('comes from a masking layer', async () => {
    const norm = syncBatchNormalization({ momentum: 0 });
    const model = tf.sequential({
      layers: [tf.layers.masking({ inputShape: [3, 2] }), norm],
    });
    model.compile({ optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' });
    const x = tf.tensor3d([1, 2, 3, 5, 0, 0, 5, 8, 0, 0, 0, 0], [2, 3, 2]);
    await model.trainOnBatch(x, tf.zeros([2, 3, 2]));
    const [mean, variance] = [norm.movingMean, norm.movingVariance].map((w) => w.read().dataSync());
    expect([...mean].map((value) => Math.fround(value))).toEqual([3, 5]);
    expect(variance[0]).toBeCloseTo(8 / 3, 5);
    expect(variance[1]).toBeCloseTo(6, 5);
  });

  it('of another shape is refused', () => {
    const layer = syncBatchNormalization({ name: 'm' });
    const run = (mask: unknown) =>
      layer.apply(tf.ones([4, 3, 2]), { training: true, mask: mask as tf.Tensor });
    expect(() => run(tf.ones([3]))).toThrow(
      "SyncBatchNormalization 'm': the mask of an input of shape (4, 3, 2) must have shape (4, 3), " +
        'or the first axes of it, got (3,)',
    );
    expect(() => run([1])).toThrow(/must be one tensor/);
  });
});

/** Weights and losses of one rank on the whole batch of each step. */
async function alone({ kind, split, epochs }: MaskedScript, norm: MakeNorm) {
  const model = sequenceModel(kind, norm);
  const all = sequences(kind, split.flat());
  const losses: number[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    let at = 0;
    for (const step of split) {
      const count = step.reduce((sum, n) => sum + n, 0);
      const { x, y } = part(all, at, count);
      losses.push((await model.trainOnBatch(x, y)) as number);
      at += count;
    }
  }
  return { weights: weightsOf(model), losses };
}

function difference(got: readonly number[], want: readonly number[]): number {
  return worst(tf.tensor1d([...got]), tf.tensor1d([...want]));
}

describe.each(SEQUENCES)('a model of sequences under a mask by %s', (kind) => {
  beforeEach(() => tf.setBackend('cpu'));

  // Rank 0 has a sequence without a position in each step, and other ranks have longer ones.
  it.each<{ ranks: number; split: number[][] }>([
    {
      ranks: 2,
      split: [
        [7, 5],
        [3, 9],
        [1, 11],
        [6, 6],
      ],
    },
    {
      ranks: 3,
      split: [
        [4, 3, 5],
        [1, 9, 2],
        [0, 6, 6],
      ],
    },
  ])('trains on $ranks ranks as on one with their batches', async ({ ranks, split }) => {
    const script: MaskedScript = { kind, split, epochs: 2 };
    const reports = await sharedWorld(ranks).results<TrainingReport>('tfjs-masked', () => script);
    const want = await alone(script, syncBatchNormalization);
    for (const { weights, seen } of reports) {
      expect(weights).toEqual(reports[0].weights);
      expect(difference(weights, want.weights)).toBeLessThan(1e-6);
      expect(difference(seen, want.losses)).toBeLessThan(1e-6);
    }
    // The built-in layer counts every position.
    const unmasked = await alone(script, tf.layers.batchNormalization);
    expect(difference(unmasked.weights, want.weights)).toBeGreaterThan(0.01);
  });
});
