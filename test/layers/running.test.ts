import { createThreadWorld, GlobalBatchNorm, init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type Kind,
  LAYER_KINDS,
  noise,
  partOf,
  runLayer,
  runningOf,
  wholeWorld,
  withValues,
} from '../harness/layers.js';
import { expectClose, expectSame } from '../harness/numbers.js';
import { oracle } from '../harness/oracle.js';
import { closeSharedWorlds } from '../harness/world.js';

afterAll(closeSharedWorlds);

const ORACLE = { channels: 2, channelsLast: false, eps: 1e-5, weight: [1, 1], bias: [0, 0] };
const STEPS = 5;
const SIZE = 3;

/** Step `step` of a rank: batches of uneven sizes, with means that wander. */
const batch = (rank: number, step: number) =>
  noise([1 + ((rank + step) % 3), 2, 2, 1], rank + 10 * step, step);

/** Share of the batch in step 0, 1, ...; the variance is unbiased in one of the layers. */
const RULES: [Kind, number | null, (step: number) => number][] = [
  ['SyncBatchNorm', 0.1, () => 0.1],
  ['SyncBatchNorm', 0.75, () => 0.75],
  ['SyncBatchNorm', 0, () => 0],
  ['SyncBatchNorm', 1, () => 1],
  ['SyncBatchNorm', null, (step) => 1 / (step + 1)],
  ['GlobalBatchNorm', 0.9, () => 1 - 0.9],
  ['GlobalBatchNorm', 0.25, () => 0.75],
  ['GlobalBatchNorm', 1, () => 0],
  ['GlobalBatchNorm', 0, () => 1],
];

describe('running statistics', () => {
  it.each(RULES)(
    'of %s with momentum %s follow its formula over several steps',
    async (kind, momentum, shareOf) => {
      const results = await runLayer(SIZE, (rank) => ({
        kind,
        numFeatures: 2,
        options: { momentum: momentum as number, dtype: 'float32', ...wholeWorld(kind, SIZE) },
        passes: Array.from({ length: STEPS }, (_, step) => ({ x: batch(rank, step), train: true })),
      }));
      let mean = [0, 0];
      let variance = [1, 1];
      for (let step = 0; step < STEPS; step++) {
        const expected = oracle(
          Array.from({ length: SIZE }, (_, rank) => partOf(batch(rank, step))),
          ORACLE,
        );
        const divisor = kind === 'SyncBatchNorm' ? expected.count - 1 : expected.count;
        const share = shareOf(step);
        mean = mean.map((old, c) => (1 - share) * old + share * expected.mean[c]);
        variance = variance.map((old, c) => (1 - share) * old + (share * expected.m2[c]) / divisor);
        for (const passes of results) {
          const running = runningOf(passes[step]);
          expectClose(running.mean, mean, 1e-6);
          expectClose(running.variance, variance, 1e-6);
          expect(passes[step].state.numBatchesTracked ?? [step + 1]).toEqual([step + 1]);
          expectSame(running.mean, runningOf(results[0][step]).mean);
          expectSame(running.variance, runningOf(results[0][step]).variance);
        }
      }
    },
  );

  it.each(LAYER_KINDS)(
    'of %s: a skipped batch counts for nothing, and the next one goes on',
    async (kind) => {
      const bad = withValues(batch(0, 1), { 0: Number.NaN });
      const run = (steps: number[]) =>
        runLayer(2, (rank) => ({
          kind,
          numFeatures: 2,
          options: kind === 'SyncBatchNorm' ? { momentum: null } : {},
          passes: steps.map((step) => ({
            x: step === 1 && rank === 0 ? bad : batch(rank, step),
            train: true,
          })),
        }));
      const [withBad, without] = [await run([0, 1, 1, 2]), await run([0, 2])];
      for (const rank of [0, 1]) {
        const last = withBad[rank][3];
        expect(last.skippedUpdates).toBe(2);
        expect(last.state).toEqual(without[rank][1].state);
      }
    },
  );

  it.each(['SyncBatchNorm', 'GlobalBatchNorm'] as const)(
    'of %s learn nothing from a call that does not track, and start anew when they are reset',
    async (kind) => {
      await init({ world: createThreadWorld(kind === 'SyncBatchNorm' ? 1 : 2)[0] });
      const layer =
        kind === 'SyncBatchNorm'
          ? new SyncBatchNorm(2)
          : new GlobalBatchNorm(2, { movingMeanInit: 3 });
      const fresh = layer.stateDict();
      if (kind === 'SyncBatchNorm') {
        const x = Tensor.from(batch(0, 0).values, batch(0, 0).shape);
        const y = layer.forward(x);
        const learnt = layer.stateDict();
        expect([...layer.forward(x, { track: false }).data]).toEqual([...y.data]);
        expect(layer.stateDict()).toEqual(learnt);
      } else {
        layer.loadStateDict({ ...fresh, movingMean: Tensor.from([7, 8]) });
      }
      expect(layer.stateDict()).not.toEqual(fresh);
      layer.resetRunningStatistics();
      expect(layer.stateDict()).toEqual(fresh);
      release();
    },
  );

  it.each(LAYER_KINDS)('of %s stay as they are in inference and in backward', async (kind) => {
    const results = await runLayer(2, (rank) => ({
      kind,
      numFeatures: 2,
      options: {},
      passes: [
        { x: batch(rank, 0), dy: batch(rank, 0), train: true },
        { x: batch(rank, 1), train: false },
        { x: batch(rank, 2), dy: batch(rank, 2), train: false },
        { dy: batch(rank, 0), train: true },
      ],
    }));
    for (const [first, second, third, fourth] of results) {
      expect(second.state).toEqual(first.state);
      expect(third.state).toEqual(first.state);
      expect(fourth.error?.message).toMatch(/backward has used this forward call already/);
    }
  });
});
