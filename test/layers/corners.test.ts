import type { DType, NonFiniteRule } from 'syncbn';
import { afterAll, describe, expect, it } from 'vitest';
import {
  as,
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
import type { LayerScript, Pass, PassResult } from '../ranks/run-layer.js';

afterAll(closeSharedWorlds);

const ORACLE = { channels: 2, channelsLast: false, eps: 1e-5, weight: [1, 1], bias: [0, 0] };

const KINDS_AND_WAYS = LAYER_KINDS.flatMap((kind) =>
  [false, true].map((reproducible) => ({ kind, reproducible })),
);

describe.each(KINDS_AND_WAYS)('$kind, reproducible $reproducible', ({ kind, reproducible }) => {
  const training = (size: number, passOf: (rank: number) => Pass, options: object = {}) =>
    runLayer(
      size,
      (rank): LayerScript => ({
        kind,
        numFeatures: 2,
        options: { ...wholeWorld(kind, size), reproducible, ...options },
        passes: [{ train: true, ...passOf(rank) }],
      }),
    ).then((results) => results.map(([pass]) => pass));

  const expectUntouched = (pass: PassResult) => {
    expect(runningOf(pass)).toEqual({ mean: [0, 0], variance: [1, 1] });
    expect(pass.state.numBatchesTracked ?? [0]).toEqual([0]);
  };

  it('a rank without samples joins in, and gets empty results and gradients of 0', async () => {
    const xs = [noise([4, 2], 1), noise([0, 2]), noise([3, 2], 2)];
    const results = await training(3, (rank) => ({ x: xs[rank], dy: xs[rank] }));
    const expected = oracle(
      xs.map((x) => partOf(x)),
      ORACLE,
    );
    for (const [rank, pass] of results.entries()) {
      expect(pass.error).toBeUndefined();
      expectClose(pass.y, expected.ranks[rank].y, 1e-6);
      expectClose(pass.dx, expected.ranks[rank].dx, 1e-6);
      expectClose(pass.gradients?.[0] ?? [], expected.ranks[rank].dweight, 1e-5);
    }
    expect(results[1]).toMatchObject({
      y: [],
      dx: [],
      gradients: [
        [0, 0],
        [0, 0],
      ],
    });
    expectSame(runningOf(results[1]).mean, runningOf(results[0]).mean);
    expectSame(runningOf(results[1]).variance, runningOf(results[0]).variance);
  });

  it.each([[[0, 2]], [[0, 2, 3, 3]], [[2, 2, 0, 3]]])(
    'a whole group of shape %j updates nothing',
    async (shape) => {
      const results = await training(2, () => ({ x: noise(shape), dy: noise(shape) }));
      for (const pass of results) {
        expect(pass.error).toBeUndefined();
        expect(pass).toMatchObject({
          y: [],
          dx: [],
          gradients: [
            [0, 0],
            [0, 0],
          ],
          skippedUpdates: 0,
        });
        expectUntouched(pass);
      }
    },
  );

  it('one value per channel over the group is refused on every rank', async () => {
    const results = await training(3, (rank) => ({ x: noise([rank === 1 ? 1 : 0, 2]) }));
    for (const pass of results) {
      expect(pass.error).toEqual({
        name: 'RangeError',
        message: `${kind}(2): training needs more than one value per channel over the group, got 1`,
      });
      expectUntouched(pass);
    }
  });

  it('one value on each of several ranks is enough', async () => {
    const xs = [0, 1, 2].map((rank) => noise([1, 2], rank));
    const results = await training(3, (rank) => ({ x: xs[rank], dy: xs[2 - rank] }));
    const expected = oracle(
      xs.map((x, rank) => partOf(x, xs[2 - rank])),
      ORACLE,
    );
    for (const [rank, pass] of results.entries()) {
      expectClose(pass.y, expected.ranks[rank].y, 1e-6);
      expectClose(pass.dx, expected.ranks[rank].dx, 1e-6);
    }
  });

  const rules: NonFiniteRule[] = ['skip', 'propagate', 'throw'];
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const cases = rules.flatMap((rule) => values.map((value) => ({ rule, value })));

  it.each(cases)(
    'onNonFinite $rule: $value on one rank is the same to all',
    async ({ rule, value }) => {
      const xs = [0, 1, 2].map((rank) => noise([3, 2], rank));
      // Element 2 is the second sample's first channel.
      xs[1] = withValues(xs[1], { 2: value });
      const results = await training(3, (rank) => ({ x: xs[rank] }), { onNonFinite: rule });
      const expected = oracle(
        xs.map((x) => partOf(x)),
        ORACLE,
      );
      for (const [rank, pass] of results.entries()) {
        expect(pass.skippedUpdates).toBe(rule === 'skip' ? 1 : 0);
        if (rule === 'propagate') {
          const { mean, variance } = runningOf(pass);
          expect([Number.isFinite(mean[0]), variance[0]]).toEqual([false, Number.NaN]);
          expect(mean[1]).not.toBe(0);
          expect(pass.state.numBatchesTracked ?? [1]).toEqual([1]);
        } else {
          expectUntouched(pass);
        }
        if (rule === 'throw') {
          expect(pass.error).toEqual({
            name: 'RangeError',
            message: `${kind}(2): the group's batch holds NaN or infinity`,
          });
          continue;
        }
        expect(pass.error).toBeUndefined();
        expect(pass.y?.filter((_, i) => i % 2 === 0)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
        const other = expected.ranks[rank].y.filter((_, i) => i % 2 === 1);
        expectClose(
          pass.y?.filter((_, i) => i % 2 === 1),
          other,
          1e-6,
        );
      }
    },
  );

  it('a variance beyond the largest number counts as not finite', async () => {
    const huge = (rank: number) =>
      as('float64', { ...noise([2, 2], rank), values: [1e200, 1, -1e200, 2] });
    const results = await training(2, (rank) => ({ x: huge(rank) }), { dtype: 'float64' });
    for (const pass of results) {
      expect(pass.skippedUpdates).toBe(1);
      expectUntouched(pass);
    }
  });

  it.each<[DType, number]>([
    ['float16', 2 ** -11],
    ['bfloat16', 2 ** -8],
  ])('%s: statistics in float32 or better, results in its type', async (dtype, unit) => {
    const whole = (numbers: ReturnType<typeof noise>) => ({
      ...numbers,
      values: numbers.values.map((v) => Math.round(v * 32) / 32),
    });
    const xs = [0, 1].map((rank) => as(dtype, whole(noise([40, 2, 3, 1], rank))));
    const results = await training(2, (rank) => ({ x: xs[rank], dy: xs[1 - rank] }));
    const expected = oracle(
      xs.map((x, rank) => partOf(x, xs[1 - rank])),
      ORACLE,
    );
    for (const [rank, pass] of results.entries()) {
      expectClose(pass.y, expected.ranks[rank].y, unit);
      expectClose(pass.dx, expected.ranks[rank].dx, unit);
      expectClose(pass.gradients?.[1] ?? [], expected.ranks[rank].dbias, 1e-6);
      const mean = expected.mean.map((m) => 0.1 * m);
      expectClose(runningOf(pass).mean, mean, 1e-7);
      expect(pass.y).not.toEqual(expected.ranks[rank].y.map(Math.fround));
    }
  });

  it('float64: throughout, also for what float32 could not tell apart', async () => {
    const xs = [0, 1].map((rank) => {
      const { values: v, ...rest } = noise([30, 2], rank);
      return as('float64', { ...rest, values: v.map((value) => 1e6 + value) });
    });
    const results = await training(2, (rank) => ({ x: xs[rank], dy: xs[rank] }), {
      dtype: 'float64',
      momentum: kind === 'SyncBatchNorm' ? 1 : 0,
    });
    const expected = oracle(
      xs.map((x) => partOf(x)),
      ORACLE,
    );
    for (const [rank, pass] of results.entries()) {
      expectClose(pass.y, expected.ranks[rank].y, 1e-9);
      const divisor = kind === 'SyncBatchNorm' ? expected.count - 1 : expected.count;
      const variance = expected.m2.map((sum) => sum / divisor);
      runningOf(pass).variance.forEach((v, c) => {
        expect(Math.abs(v / variance[c] - 1)).toBeLessThan(1e-9);
      });
    }
  });
});
