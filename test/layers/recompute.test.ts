import fc from 'fast-check';
import { init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { recomputeRunningStatistics } from 'syncbn/models';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { expectClose } from '../harness/numbers.js';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { RecomputeScript, recompute } from '../ranks/recompute.js';

afterAll(closeSharedWorlds);
afterEach(release);

type Result = Awaited<ReturnType<typeof recompute>>;

const run = (size: number, scriptOf: (rank: number) => RecomputeScript) =>
  sharedWorld(size).results<Result>('recompute', scriptOf);

/** Mean and variance of all rows, by channel. */
function statisticsOf(rows: readonly number[][], unbiased: boolean) {
  const mean = [0, 1].map((c) => rows.reduce((sum, row) => sum + row[c], 0) / rows.length);
  const variance = mean.map(
    (m, c) =>
      rows.reduce((sum, row) => sum + (row[c] - m) ** 2, 0) / (rows.length - (unbiased ? 1 : 0)),
  );
  return { mean, variance };
}

const value = fc.integer({ min: -400, max: 400 }).map((n) => n / 8);
const batch = (least: number) =>
  fc.array(fc.tuple(value, value), { minLength: least, maxLength: 5 }) as fc.Arbitrary<number[][]>;

describe('recomputeRunningStatistics', () => {
  it.each([1, 2, 3])('is exact over uneven batches of all ranks, %i ranks', async (size) => {
    await fc.assert(
      fc.asyncProperty(
        // Rank 0 has two rows at least, the others may have none.
        fc.array(
          fc.tuple(
            ...Array.from({ length: size }, (_, rank) => batch(rank === 0 ? 2 : 0)),
          ) as fc.Arbitrary<number[][][]>,
          { minLength: 1, maxLength: 4 },
        ),
        async (batches) => {
          const results = await run(size, (rank) => ({
            kind: 'SyncBatchNorm',
            batches: batches.map((parts) => parts[rank]),
            before: [
              [
                [5, 5],
                [9, 7],
              ],
            ],
          }));
          const want = statisticsOf(batches.flat(2), true);
          for (const { mean, variance, ...rest } of results) {
            expectClose(mean, want.mean, 1e-6 * 50);
            expectClose(variance, want.variance, 1e-6 * 2500);
            expect(rest).toEqual({ batches: batches.length, training: false, error: null });
            expect([mean, variance]).toEqual([results[0].mean, results[0].variance]);
          }
        },
      ),
      { numRuns: 10 },
    );
  });

  it('puts the statistics of separate groups together, biased as the layer has them', async () => {
    const rows = (rank: number) => [
      [rank, 1],
      [2 * rank, 5],
    ];
    const results = await run(4, (rank) => ({ kind: 'GlobalBatchNorm', batches: [rows(rank)] }));
    const want = statisticsOf([0, 1, 2, 3].flatMap(rows), false);
    for (const { mean, variance, error } of results) {
      expect(error).toBeNull();
      expectClose(mean, want.mean, 1e-6);
      expectClose(variance, want.variance, 1e-6 * 10);
    }
  });

  const before = [
    [
      [1, 2],
      [3, 5],
    ],
  ];

  it('leaves everything as it was where a rank fails, and tells the others', async () => {
    const good = [
      [4, 4],
      [8, 8],
    ];
    const scripts = (batches: RecomputeScript['batches']) => ({
      kind: 'SyncBatchNorm' as const,
      before,
      batches,
    });
    const [untouched] = await run(1, () => ({
      ...scripts([]),
      before: [before[0].concat(before[0])],
    }));
    const results = await run(2, (rank) => scripts(rank === 1 ? [good, null] : [good]));
    expect(results.map(({ error }) => error)).toEqual([
      'RankFailedError: rank 1 failed: Error: no such file',
      'Error: no such file',
    ]);
    for (const { mean, variance, batches, training } of results) {
      expect({ mean, variance, batches, training }).toEqual({
        ...{ mean: untouched.mean, variance: untouched.variance },
        ...{ batches: 1, training: false },
      });
    }
  });

  it('refuses a pass in which a layer saw nothing, on all ranks alike', async () => {
    const results = await run(2, () => ({ kind: 'SyncBatchNorm', batches: [], before }));
    for (const { error, batches } of results) {
      expect(error).toBe(
        "RangeError: recomputeRunningStatistics: SyncBatchNorm 'bn' has seen 0 values per channel, " +
          'and needs 2',
      );
      expect(batches).toBe(1);
    }
  });

  it('refuses what is no layer, has no statistics, or is no function', async () => {
    await init();
    const layer = new SyncBatchNorm(2, { name: 'bare', trackRunningStats: false });
    await expect(recomputeRunningStatistics([layer], () => {})).rejects.toThrow(
      new RangeError("recomputeRunningStatistics: SyncBatchNorm 'bare' has no running statistics"),
    );
    await expect(recomputeRunningStatistics([{} as never], () => {})).rejects.toThrow(TypeError);
    await expect(recomputeRunningStatistics([], 3 as never)).rejects.toThrow(
      new TypeError('recomputeRunningStatistics: passes must be a function, got 3'),
    );
  });

  it('refuses a layer that is in another call of it, which goes on', async () => {
    await init();
    const layer = new SyncBatchNorm(1, { name: 'bn' });
    await recomputeRunningStatistics([layer], async () => {
      await expect(recomputeRunningStatistics([layer], () => {})).rejects.toThrow(
        "recomputeRunningStatistics: SyncBatchNorm 'bn' is in another call of it already",
      );
      layer.forward(Tensor.from([1, 3], [2, 1]));
    });
    expect([...layer.runningMean.data, ...layer.runningVar.data]).toEqual([2, 2]);
  });
});
