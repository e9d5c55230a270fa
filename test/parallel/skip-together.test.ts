import { init, isInitialized, release, skipTogether } from 'syncbn';
import { afterAll, describe, expect, it } from 'vitest';
import { closeSharedWorlds, SIZES, sharedWorld } from '../harness/world.js';
import type { SkipScript } from '../ranks/run-parallel.js';

afterAll(closeSharedWorlds);

interface Outcome {
  answers: boolean[];
  batches: number;
}

const run = (size: number, scriptOf: (rank: number) => SkipScript | null) =>
  sharedWorld(size).results<Outcome>('skips', scriptOf);

describe.each(SIZES)('skipTogether over %i ranks', (size) => {
  it.each(['now', 'awaited'] as const)(
    'gives all the same answer: whether any of them wants to, %s',
    async (how) => {
      // In step s rank s wants to skip; nobody does in the last one.
      const steps = size + 1;
      const results = await run(size, (rank) => ({
        wishes: Array.from({ length: steps }, (_, step) => step === rank),
        how,
      }));
      const answers = Array.from({ length: steps }, (_, step) => step < size);
      for (const result of results) expect(result).toEqual({ answers, batches: 1 });
    },
  );
});

it('asks the ranks of a group alone', async () => {
  const group = { name: 'pair', ranks: [2, 0] };
  const results = await run(3, (rank) =>
    rank === 1 ? null : { wishes: [rank === 2, false], how: 'now', group },
  );
  for (const rank of [0, 2]) {
    expect(results[rank]).toEqual({ answers: [true, false], batches: 1 });
  }
});

it('fails on all ranks where one brings no answer', async () => {
  const outcomes = await sharedWorld(2).run<Outcome>('skips', (rank) => ({
    wishes: [rank === 1 ? ('no' as never) : false],
    how: 'now',
  }));
  expect(outcomes[1].error).toEqual({
    name: 'TypeError',
    message: "skipTogether: skip must be true or false, got 'no'",
  });
  expect(outcomes[0].error?.name).toBe('RankFailedError');
  expect(outcomes[0].error?.message).toContain(outcomes[1].error!.message);
});

it('refuses options that it does not know, and says to join a world first', async () => {
  release();
  expect(isInitialized()).toBe(false);
  expect(() => skipTogether(false)).toThrow(/^skipTogether: there is no world yet/);
  await init();
  expect(() => skipTogether(false, { gruop: 'world' } as never)).toThrow(
    new TypeError("skipTogether: unknown option 'gruop'; known are group; did you mean 'group'?"),
  );
  expect(skipTogether(true)).toBe(true);
  release();
});
