import { broadcastParameters, init, release, Tensor } from 'syncbn';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { closeSharedWorlds, SIZES, sharedWorld } from '../harness/world.js';
import type { Holder, ParallelScript } from '../ranks/run-parallel.js';

afterAll(closeSharedWorlds);
afterEach(release);

const holdersOf = (rank: number): Holder[] => [
  { kind: 'parameter', dtype: 'float32', values: [rank + 0.5, -rank] },
  { kind: 'tensor', dtype: 'float16', values: [rank / 4] },
  { kind: 'tensor', dtype: 'bfloat16', values: [Number.NaN, rank] },
  { kind: 'array', dtype: 'float64', values: [rank / 3] },
];
const valuesOf = (rank: number) => [
  [rank + 0.5, -rank || 0],
  [rank / 4],
  [Number.NaN, rank],
  [rank / 3],
];

const run = (size: number, scriptOf: (rank: number) => ParallelScript | null) =>
  sharedWorld(size).results<number[][]>('parallel', scriptOf);

describe.each(SIZES)('broadcastParameters over %i ranks', (size) => {
  it('gives every rank the values of the root, to the bit', async () => {
    for (const root of new Set([0, size >> 1, size - 1])) {
      const results = await run(size, (rank) => ({ holders: holdersOf(rank), root }));
      for (const own of results)
        expect(own.map((v) => v.map((x) => x + 0))).toEqual(valuesOf(root));
    }
  });
});

describe('the root', () => {
  it('is a rank of the group that is named', async () => {
    const group = { name: 'senders', ranks: [2, 1] };
    const results = await run(3, (rank) =>
      rank === 0 ? null : { holders: holdersOf(rank), root: 1, group },
    );
    expect(results.slice(1)).toEqual([valuesOf(1), valuesOf(1)]);
  });

  it.each([-1, 3, 0.5])('cannot be %s, which all ranks are told', async (root) => {
    const message = `broadcastParameters: root must be a rank of group 'world', 0 to 2, got ${root}`;
    const outcomes = await sharedWorld(3).run('parallel', (rank) => ({
      holders: holdersOf(rank),
      root: rank === 1 ? root : 0,
    }));
    const told = { name: 'RankFailedError', message: `rank 1 failed: RangeError: ${message}` };
    expect(outcomes.map(({ error }) => error)).toEqual([
      told,
      { name: 'RangeError', message },
      told,
    ]);
  });

  it('must be the same on all ranks', async () => {
    const outcomes = await sharedWorld(2).run('parallel', (rank) => ({
      holders: holdersOf(rank),
      root: rank,
    }));
    const [first, second] = outcomes.map(({ error }) => error);
    expect(first?.name).toBe('MismatchError');
    expect(first?.message).toMatch(
      /rank 1 is in broadcast #\d+ of broadcastParameters of .* from 1 with 5 float32, rank 0 in broadcast #\d+ of broadcastParameters of .* from 0 with 5 float32$/,
    );
    expect(second).toEqual(first);
  });
});

describe('broadcastParameters', () => {
  it('refuses what has no value, and needs init', async () => {
    expect(() => broadcastParameters([])).toThrow(/^broadcastParameters: there is no world yet/);
    await init();
    expect(() => broadcastParameters(['W' as never])).toThrow(
      new TypeError(
        "broadcastParameters: expected Parameters, Tensors, Float32Arrays or Float64Arrays, got 'W'",
      ),
    );
    const tensor = Tensor.from([1, 2]);
    broadcastParameters([tensor]);
    expect([...tensor.data]).toEqual([1, 2]);
  });
});
