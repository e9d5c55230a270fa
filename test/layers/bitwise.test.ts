import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { packedLength, viewPacked } from '../../src/core/moments.js';
import type { ProcessGroup } from '../../src/group/process-group.js';
import { plainKernels } from '../../src/kernels/plain.js';
import { Keeper } from '../../src/ops/memory/statistics.js';
import { mergeMoments } from '../../src/ops/merge/merge.js';
import { groupOf, worldsOf } from '../harness/groups-in-process.js';
import { LAYER_KINDS, noise, runLayer, wholeWorld } from '../harness/layers.js';
import { expectClose } from '../harness/numbers.js';
import { closeSharedWorlds } from '../harness/world.js';

afterAll(closeSharedWorlds);

const CHANNELS = 3;

/** Moments as the ranks send them: random, and none at all on some. */
const moments = fc
  .record({
    count: fc.nat(6),
    mean: fc.array(fc.double({ min: -100, max: 100, noNaN: true }), {
      minLength: CHANNELS,
      maxLength: CHANNELS,
    }),
    m2: fc.array(fc.double({ min: 0, max: 100, noNaN: true }), {
      minLength: CHANNELS,
      maxLength: CHANNELS,
    }),
  })
  .map(({ count, mean, m2 }) =>
    count === 0 ? new Float64Array(packedLength(CHANNELS)) : Float64Array.of(count, ...mean, ...m2),
  );

/** What one rank gets of a merge; `most` ranks gather, larger groups reduce. */
async function merge(group: ProcessGroup, packed: Float64Array, most: number, vote: number) {
  // Kernels of its own: the ranks of a test share a thread, whose workspace is one for each.
  const kernels = { ...plainKernels };
  const own = viewPacked(packed, CHANNELS);
  const statistics = new Keeper(kernels, CHANNELS, 'float32').take(null);
  statistics.count = own.count;
  statistics.mean.set(own.mean);
  statistics.m2.set(own.m2);
  const scope = {
    kernels,
    group,
    label: 'merge',
    reproducible: false,
    groupGradients: false,
    gatherRanks: most,
    eps: 1,
  };
  const pass = mergeMoments(statistics, vote, scope);
  for (let work = pass.step(); work !== null; work = pass.step()) await work.done();
  const { count, mean, m2, channelsPerBlock } = pass.result;
  return { count, mean: [...mean], m2: [...m2], channelsPerBlock };
}

describe.each([1, 2, 3, 4, 7])('the two ways of merging moments over %i ranks', (size) => {
  const groups = groupOf(worldsOf(size), 'merge');
  const list = fc.array(moments, { minLength: size, maxLength: size });
  const all = (most: number, packed: Float64Array[]) =>
    Promise.all(groups.map((group, r) => merge(group, packed[r], most, 5 + ((r + 1) % size))));
  const [GATHERED, REDUCED] = [size, 0];

  it('agree, and each gives the same bits on every rank', async () => {
    await fc.assert(
      fc.asyncProperty(list, async (packed) => {
        const [gathered, reduced] = [await all(GATHERED, packed), await all(REDUCED, packed)];
        for (const own of gathered) expect(own).toEqual(gathered[0]);
        for (const own of reduced) expect(own).toEqual(reduced[0]);
        expect(reduced[0].count).toBe(gathered[0].count);
        expectClose(reduced[0].mean, gathered[0].mean, 1e-13);
        expectClose(reduced[0].m2, gathered[0].m2, 1e-10);
        // The smallest of the votes.
        for (const { channelsPerBlock } of [...gathered, ...reduced]) {
          expect(channelsPerBlock).toBe(5);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('give no values for none, and do not divide by 0', async () => {
    const none = groups.map(() => new Float64Array(packedLength(CHANNELS)));
    const zeros = [0, 0, 0];
    for (const way of [GATHERED, REDUCED]) {
      for (const own of await all(way, none)) {
        expect(own).toEqual({ count: 0, mean: zeros, m2: zeros, channelsPerBlock: 5 });
      }
    }
  });

  it('sum per-channel numbers in place, in rank order', async () => {
    const sums = groups.map((_, rank) => Float64Array.of(rank === 0 ? 1e16 : 1, rank));
    const works = groups.map((group, rank) => group.allReduce(sums[rank], { label: 'sums' }));
    const results = await Promise.all(works.map((work) => work.done()));
    let expected = 1e16;
    for (let rank = 1; rank < size; rank++) expected += 1;
    results.forEach((own, rank) => {
      expect(own).toBe(sums[rank]);
      expect([...own]).toEqual([expected, (size * (size - 1)) / 2]);
    });
  });
});

describe.each(LAYER_KINDS)('%s', (kind) => {
  const SIZE = 4;
  const run = (seed: number, reproducible: boolean) =>
    runLayer(SIZE, (rank) => ({
      kind,
      numFeatures: 5,
      options: { reproducible, ...wholeWorld(kind, SIZE) },
      passes: [0, 1, 2].map((step) => ({
        x: noise([rank + step, 5, 3, 2], seed + rank, 7),
        dy: noise([rank + step, 5, 3, 2], seed - rank),
        train: true,
      })),
    }));
  /** Work for the ranks that delays each by another time before the next run. */
  const disturb = (turn: number) =>
    runLayer(SIZE, (rank) => ({
      kind: 'SyncBatchNorm',
      numFeatures: 1,
      options: {},
      passes: [{ x: noise([1 + ((rank + turn) % SIZE) * 20_000, 1]), train: false }],
    }));

  it.each([false, true])(
    'holds the same statistics on every rank, to the bit (reproducible %s)',
    async (reproducible) => {
      const results = await run(1, reproducible);
      for (const passes of results) {
        passes.forEach((pass, step) => {
          expect(pass.error).toBeUndefined();
          const { state } = results[0][step];
          expect(pass.state).toEqual(state);
        });
      }
    },
  );

  it.each([false, true])(
    'gives the same bits again, whatever the timing (reproducible %s)',
    async (reproducible) => {
      const first = await run(2, reproducible);
      for (let turn = 0; turn < 5; turn++) {
        // Not waited for: it keeps some ranks busy while others begin.
        const busy = disturb(turn);
        expect(await run(2, reproducible)).toEqual(first);
        await busy;
      }
    },
  );
});
