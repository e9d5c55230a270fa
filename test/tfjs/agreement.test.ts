/** Ranks that stop, fail and disagree while they train: all others learn of it, and none waits. */

import * as tf from '@tensorflow/tfjs';
import { getRank, init } from 'syncbn';
import { averageMetrics, broadcastWeights, distribute, shard, trainingStep } from 'syncbn/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { FitOutcome, Scenario } from '../ranks/run-tfjs-scenarios.js';
import { part, perceptron, samples } from './models.js';

beforeAll(async () => {
  await init();
  await tf.setBackend('cpu');
});
afterAll(closeSharedWorlds);

const play = (name: Scenario['name'], by = 1, ranks = 2) =>
  sharedWorld(ranks).results<FitOutcome>('tfjs-scenario', () => ({ name, by }));

function expectReplicas([first, ...others]: FitOutcome[]): void {
  for (const other of others) {
    expect(other.error).toBeNull();
    expect(other.weights).toEqual(first.weights);
    expect(JSON.stringify(other.history)).toBe(JSON.stringify(first.history));
  }
}

describe('stopping', () => {
  it('comes after the same epoch on all ranks, as on one rank with all samples', async () => {
    const outcomes = await play('earlyStopping');
    expectReplicas(outcomes);
    const model = perceptron(tf.layers.batchNormalization);
    const all = samples(40);
    // The batches that the two ranks make together.
    const batches = [0, 5, 10, 15].map((at) => [part(all, at, 5), part(all, 20 + at, 5)]);
    const x = tf.concat(batches.flat().map((own) => own.x));
    const y = tf.concat(batches.flat().map((own) => own.y));
    const { history } = await model.fit(x, y, {
      batchSize: 10,
      epochs: 30,
      shuffle: false,
      verbose: 0,
      validationData: [x, y],
      callbacks: tf.callbacks.earlyStopping({ monitor: 'val_loss', minDelta: 0.02, patience: 0 }),
    });
    expect(outcomes[0].epochs).toBe(history.loss.length);
    expect(outcomes[0].epochs).toBeLessThan(30);
    const expected = history.val_loss as number[];
    (outcomes[0].history.val_loss as number[]).forEach((loss, i) => {
      expect(loss).toBeCloseTo(expected[i], 5);
    });
  });

  it.each([0, 1])('in a batch on rank %s comes after the next batch on both', async (by) => {
    const outcomes = await play('stops in a batch', by);
    expectReplicas(outcomes);
    for (const { epochs, batches } of outcomes) expect([epochs, batches.length]).toEqual([1, 2]);
  });

  it('in a batch comes without a validation on a rank that had no more batches', async () => {
    const outcomes = await play('stops in a batch, with fewer of them on the other', 0);
    expectReplicas(outcomes);
    expect(outcomes.map(({ batches }) => batches.length)).toEqual([2, 1]);
    expect(Object.keys(outcomes[0].history)).toEqual(['loss', 'acc']);
  });

  it.each([0, 1])('at the end of an epoch on rank %s comes at once on both', async (by) => {
    const outcomes = await play('stops in an epoch', by);
    expectReplicas(outcomes);
    for (const { epochs, batches } of outcomes) expect([epochs, batches.length]).toEqual([3, 12]);
  });
});

describe('a failure', () => {
  it.each<[Scenario['name'], RegExp]>([
    ['throws in a callback', /a mistake of my own/],
    ['passes a wrong shape', /expected.*shape/i],
    ['fails in a step of its own', /no such luck/],
  ])('of one rank that %s reaches the other with rank and text', async (name, text) => {
    const [other, failed] = await play(name, 1);
    expect(failed.error?.message).toMatch(text);
    expect(failed.error?.message).not.toMatch(/rank 1/);
    expect(other.error?.name).toBe('RankFailedError');
    expect(other.error?.message).toMatch(/rank 1/);
    expect(other.error?.message).toMatch(text);
  });

  it.each<[Scenario['name'], RegExp]>([
    ['wants more epochs', /epochs 0 to 7.*epochs 0 to 6|epochs 0 to 6.*epochs 0 to 7/],
    ['validates alone', /without validation/],
    ['broadcasts other weights', /shapes/],
  ])('where one rank %s names both sides', async (name, text) => {
    for (const { error } of await play(name)) {
      expect(error?.name).toBe('MismatchError');
      expect(error?.message).toMatch(text);
    }
  });

  it('where one rank sets another learning rate names them', async () => {
    for (const { error } of await play('sets another learning rate')) {
      expect(error?.message).toMatch(/learning rates differ/);
    }
  });

  it('leaves the ranks able to train again', async () => {
    const outcomes = await play('trains after a failure');
    for (const { epochs, error } of outcomes) {
      expect(epochs).toBe(2);
      expect(error?.message).toMatch(/a mistake of my own/);
    }
    expect(outcomes[0].weights).toEqual(outcomes[1].weights);
  });
});

describe('ranks', () => {
  it('with fewer batches follow a learning rate that is set in every batch', async () => {
    const outcomes = await play('sets the learning rate in every batch', 0);
    expectReplicas(outcomes);
    expect(outcomes.map(({ batches }) => batches.length)).toEqual([12, 3]);
  });

  it('stay one training when the model is compiled again', async () => {
    const outcomes = await play('compiles again');
    expectReplicas(outcomes);
    expect(outcomes[0].epochs).toBe(6);
  });

  it('train in groups of their own', async () => {
    const outcomes = await play('trains in groups of two', 0, 4);
    expectReplicas(outcomes.slice(0, 2));
    expectReplicas(outcomes.slice(2));
    expect(outcomes[0].weights).not.toEqual(outcomes[2].weights);
  });

  it('count a missing gradient as zeros, and leave what no rank has', async () => {
    for (const { weights } of await play('has a missing gradient')) {
      expect(weights).toEqual([1 - 2, 2, 3 - 4 / 2]);
    }
  });

  it('get the weights of the root, also large integers', async () => {
    const [first, second] = await play('broadcasts weights', 1);
    expect(first.weights).toEqual(second.weights);
    expect(first.weights.slice(-2)).toEqual([2 ** 25 + 2, -3]);
  });

  it('average metrics by samples', async () => {
    const [first, second] = await play('averages metrics');
    expect(first.weights).toEqual(second.weights);
    const [loss, accuracy, rank, plain] = first.weights;
    expect(loss).toBeGreaterThan(0);
    expect(accuracy).toBeLessThanOrEqual(1);
    expect([rank, plain]).toEqual([0.5, 3]);
  });

  it('get every other element, and sample of each tensor', async () => {
    const [first, second] = await play('shards what it has');
    expect(first.weights).toEqual([0, 1, 4, 5, 8, 9, 0, 2, 4, 3, 0, 2, 4]);
    expect(second.weights).toEqual([2, 3, 6, 7, 1, 3, 2, 1, 3]);
  });
});

describe('arguments that do not fit', () => {
  const model = () => perceptron(tf.layers.batchNormalization);

  it.each<[string, () => unknown, RegExp]>([
    [
      'distribute(no model)',
      () => distribute('x' as never),
      /expected a model or an optimizer, got 'x'/,
    ],
    [
      'distribute(model not compiled)',
      () => distribute(tf.sequential() as never),
      /compile it first/,
    ],
    [
      'distribute(model of another copy)',
      () => distribute({ fitDataset() {} } as never),
      /another copy.*npm ls @tensorflow\/tfjs-layers/s,
    ],
    ['distribute(root 1 of 1)', () => distribute(model(), { root: 1 }), /root.*0 to 0, got 1/],
    ['distribute(unknown group)', () => distribute(model(), { group: 'x' }), /unknown group 'x'/],
    ['trainingStep(-1)', () => trainingStep(-1, () => 0), /samples must be finite and 0 or more/],
    ["trainingStep('3')", () => trainingStep('3' as never, () => 0), /samples must be a number/],
    ['trainingStep without a step', () => trainingStep(1, null as never), /must be a function/],
    ['trainingStep of a promise', () => trainingStep(1, async () => 0), /must be synchronous/],
    ['shard(3 of 2)', () => shard(tf.zeros([2]), { index: 3, size: 2 }), /got 3 of 2/],
    [
      'shard(number)',
      () => shard(3 as never),
      /expected a dataset or tensors with samples on the first axis, got 3/,
    ],
    ['shard(scalar)', () => shard(tf.scalar(1)), /samples on the first axis/],
    ['averageMetrics(text)', () => averageMetrics('x' as never), /expected a number or a scalar/],
    ['averageMetrics(-1)', () => averageMetrics(1, { samples: -1 }), /samples must be finite/],
    ['broadcastWeights(null)', () => broadcastWeights(null as never), /expected a model/],
    ['broadcastWeights([1])', () => broadcastWeights([1] as never), /expected variables, got 1/],
  ])('are refused: %s', (_, call, text) => {
    expect(call).toThrow(text);
  });

  it('are all right on one rank, where nothing changes', async () => {
    const plain = model();
    const { optimizer } = plain;
    expect(distribute(plain)).toBe(plain);
    expect(distribute(optimizer)).toBe(optimizer);
    const { x, y } = samples(8);
    const { history } = await plain.fit(x, y, { epochs: 2, verbose: 0 });
    expect(history.loss.length).toBe(2);
    expect(trainingStep(0, () => 1)).toBeNull();
    expect(trainingStep(1, () => 1)).toBe(1);
    expect(averageMetrics([1, tf.scalar(2)], { samples: 3 })).toEqual([1, 2]);
    expect(shard(x, { index: getRank(), size: 1 }).shape).toEqual([8, 6]);
  });
});
