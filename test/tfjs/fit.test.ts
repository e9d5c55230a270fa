/** Training over two and three ranks against one rank on whole batches with the built-in layer. */

import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { FitScript, TrainingReport } from '../ranks/run-tfjs.js';
import { pairs, part, perceptron, samples, twoInputs, weightsOf } from './models.js';

beforeAll(() => tf.setBackend('cpu'));
afterAll(closeSharedWorlds);

const EPOCHS = 3;
/** Elements of the dataset of two inputs, and of its batches on each rank. */
const PAIRS = 25;
const BATCH = 4;

interface Expected {
  weights: number[];
  losses: number[];
  validated: number[];
}

/** One rank with the union of the ranks' batches in each step. */
async function alone({ split, epochs, validation }: FitScript): Promise<Expected> {
  const total = split.flat().reduce((sum, n) => sum + n, 0);
  const all = samples(total);
  const model = perceptron(tf.layers.batchNormalization);
  const losses: number[] = [];
  const validated: number[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    let at = 0;
    let sum = 0;
    for (const step of split) {
      const count = step.reduce((n, m) => n + m, 0);
      const { x, y } = part(all, at, count);
      const [loss] = (await model.trainOnBatch(x, y)) as number[];
      sum += loss * count;
      at += count;
    }
    losses.push(sum / total);
    if (validation === undefined) continue;
    const held = samples(validation, 9);
    const [loss] = model.evaluate(held.x, held.y) as tf.Scalar[];
    validated.push(loss.dataSync()[0]);
  }
  return { weights: weightsOf(model), losses, validated };
}

/** Largest difference relative to the largest number. */
function difference(actual: readonly number[], expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - actual[i]))) / largest;
}

function expectReplicas(reports: TrainingReport[]): void {
  for (const report of reports) {
    expect(report.weights).toEqual(reports[0].weights);
    expect(JSON.stringify(report.history)).toBe(JSON.stringify(reports[0].history));
    expect(report.seen).toEqual(reports[0].seen);
    expect(report.leaked).toEqual([0, 0]);
  }
}

const two = {
  'even parts': [
    [5, 5],
    [5, 5],
    [5, 5],
  ],
  'a ragged last batch': [
    [5, 5],
    [5, 5],
    [5, 2],
  ],
  'parts of 7 and 3': [
    [7, 3],
    [7, 3],
  ],
  'three batches against one': [
    [5, 5],
    [5, 0],
    [5, 0],
  ],
  'a rank without samples': [
    [5, 0],
    [5, 0],
  ],
};

const three = {
  'even parts': [
    [4, 4, 4],
    [4, 4, 4],
  ],
  'parts of 6, 3 and 1': [
    [6, 3, 1],
    [6, 3, 1],
  ],
  'three, two and no batches': [
    [4, 5, 0],
    [4, 5, 0],
    [4, 0, 0],
  ],
};

const cases = (['fit', 'fitDataset'] as const).flatMap((mode) => [
  ...Object.entries(two).map(([name, split]) => ({ mode, name, split, ranks: 2 })),
  ...Object.entries(three).map(([name, split]) => ({ mode, name, split, ranks: 3 })),
]);

describe('a model over all ranks', () => {
  it.each(cases)('trains in $mode as one rank does: $ranks ranks, $name', async (given) => {
    const script = { split: given.split, mode: given.mode, epochs: EPOCHS };
    const world = sharedWorld(given.ranks);
    const reports = await world.results<TrainingReport>('tfjs-fit', () => script);
    const expected = await alone(script);
    expectReplicas(reports);
    expect(difference(reports[0].weights, expected.weights)).toBeLessThan(3e-7);
    const losses = reports[0].history.loss as number[];
    expect(difference(losses, expected.losses)).toBeLessThan(1e-6);
    expect(reports[0].seen).toEqual(losses);
    expect(Object.keys(reports[0].history)).toEqual(['loss', 'acc']);
  });

  it.each(['cpu', 'other'])('trains on the %s backend, too', async (backend) => {
    const split = two['three batches against one'];
    const script: FitScript = { split, mode: 'fit', epochs: EPOCHS, backend };
    const reports = await sharedWorld(2).results<TrainingReport>('tfjs-fit', () => script);
    expectReplicas(reports);
    const expected = await alone(script);
    expect(difference(reports[0].weights, expected.weights)).toBeLessThan(3e-7);
  });

  it.each([
    { ranks: 2, validation: 7 },
    { ranks: 3, validation: 2 },
  ])('validates over $ranks ranks, $validation samples in all', async ({ ranks, validation }) => {
    const split = ranks === 2 ? two['a ragged last batch'] : three['three, two and no batches'];
    const script: FitScript = { split, mode: 'fit', epochs: EPOCHS, validation };
    const reports = await sharedWorld(ranks).results<TrainingReport>('tfjs-fit', () => script);
    expectReplicas(reports);
    const expected = await alone(script);
    const { val_loss } = reports[0].history;
    expect(difference(val_loss as number[], expected.validated)).toBeLessThan(1e-6);
  });

  it('trains batch by batch, with empty ones', async () => {
    const split = [
      [5, 5],
      [7, 3],
      [4, 0],
    ];
    const script: FitScript = { split, mode: 'trainOnBatch', epochs: 2 };
    const reports = await sharedWorld(2).results<TrainingReport>('tfjs-fit', () => script);
    expectReplicas(reports);
    const expected = await alone(script);
    expect(difference(reports[0].weights, expected.weights)).toBeLessThan(3e-7);
  });

  it.each([
    { ranks: 2, batchesPerEpoch: undefined },
    { ranks: 3, batchesPerEpoch: undefined },
    { ranks: 2, batchesPerEpoch: 2 },
    { ranks: 3, batchesPerEpoch: 2 },
  ])(
    'trains several inputs and outputs on a sharded dataset: $ranks ranks, $batchesPerEpoch batches an epoch',
    async ({ ranks, batchesPerEpoch }) => {
      const script = { count: PAIRS, batchSize: BATCH, batchesPerEpoch };
      const reports = await sharedWorld(ranks).results<TrainingReport>('tfjs-pairs', () => script);
      expectReplicas(reports);
      const expected = await aloneOnPairs(ranks, batchesPerEpoch);
      expect(difference(reports[0].weights, expected.weights)).toBeLessThan(3e-7);
      const { loss, val_loss } = reports[0].history as Record<string, number[]>;
      expect(difference(loss, expected.losses)).toBeLessThan(1e-6);
      expect(difference(val_loss, expected.validated)).toBeLessThan(1e-6);
    },
  );

  it('trains loops of their own with uneven and empty parts', async () => {
    const split = [
      [5, 5],
      [7, 3],
      [4, 0],
      [6, 2],
      [0, 5],
    ];
    const reports = await sharedWorld(2).results<TrainingReport>('tfjs-loop', () => ({ split }));
    expect(reports[1].weights).toEqual(reports[0].weights);
    const all = samples(split.flat().reduce((sum, n) => sum + n, 0));
    const model = perceptron(tf.layers.batchNormalization);
    const optimizer = tf.train.momentum(0.1, 0.9);
    let at = 0;
    for (const step of split) {
      const count = step.reduce((n, m) => n + m, 0);
      const { x, y } = part(all, at, count);
      at += count;
      optimizer.minimize(() => {
        const logits = model.apply(x, { training: true }) as tf.Tensor;
        return tf.losses.softmaxCrossEntropy(y, logits) as tf.Scalar;
      });
    }
    expect(difference(reports[0].weights, weightsOf(model))).toBeLessThan(3e-7);
  });
});

/** One rank on the union of what `shard(...).batch(BATCH)` gives the ranks in each step. */
async function aloneOnPairs(ranks: number, batchesPerEpoch: number | undefined): Promise<Expected> {
  const elements = pairs(PAIRS);
  const parts = Array.from({ length: ranks }, (_, rank) =>
    elements.filter((_, i) => i % ranks === rank),
  );
  const model = twoInputs(tf.layers.batchNormalization);
  const batches = parts.map((own) => Math.ceil(own.length / BATCH));
  const steps = batchesPerEpoch ?? Math.max(...batches);
  const losses: number[] = [];
  const validated: number[] = [];
  let step = 0;
  for (let epoch = 0; epoch < 3; epoch++) {
    let sum = 0;
    let seen = 0;
    if (batchesPerEpoch === undefined) step = 0;
    for (let i = 0; i < steps; i++, step++) {
      const union = parts.flatMap((own, rank) => {
        // `repeat()` starts again.
        const batch = batchesPerEpoch === undefined ? step : step % batches[rank];
        return own.slice(batch * BATCH, (batch + 1) * BATCH);
      });
      const { xs, ys } = stacked(union);
      const [loss] = (await model.trainOnBatch(xs, ys)) as number[];
      sum += loss * union.length;
      seen += union.length;
    }
    losses.push(sum / seen);
    const { xs, ys } = stacked(pairs(7));
    const [loss] = model.evaluate(xs, ys) as tf.Scalar[];
    validated.push(loss.dataSync()[0]);
  }
  return { weights: weightsOf(model), losses, validated };
}

function stacked(elements: ReturnType<typeof pairs>): { xs: tf.Tensor[]; ys: tf.Tensor[] } {
  const column = (kind: 'xs' | 'ys', name: string) =>
    tf.tensor2d(elements.map((element) => element[kind][name]));
  return {
    xs: [column('xs', 'a'), column('xs', 'b')],
    ys: [column('ys', 'kind'), column('ys', 'size')],
  };
}
