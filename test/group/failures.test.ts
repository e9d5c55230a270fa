import { afterAll, describe, expect, it } from 'vitest';
import { closeSharedWorlds, sharedWorld, TestWorld } from '../harness/world.js';
import type { Call, Outcome } from '../ranks/collectives.js';
import type { Misdeed } from '../ranks/misbehave.js';

afterAll(closeSharedWorlds);

/** The error of each rank's call `i`. */
async function errors(size: number, callsOf: (rank: number) => Call[], i = 0) {
  const outcomes = await sharedWorld(size).results<Outcome[]>('collectives', (rank) => ({
    calls: callsOf(rank),
    style: 'wait',
  }));
  return outcomes.map(([...own]) => {
    const outcome = own[i];
    return outcome !== undefined && 'error' in outcome ? outcome.error : null;
  });
}

/** A group of its own, so that call numbers start at 1. */
const group = (name: string, size: number) => ({
  name,
  ranks: Array.from({ length: size }, (_, rank) => rank),
});

describe('threads that wait for one another', () => {
  it('in two groups are told at once, in the same words', async () => {
    const [one, two] = [group('one', 2), group('two', 2)];
    const found = await errors(2, (rank) => [{ kind: 'barrier', group: rank === 0 ? one : two }]);
    const message =
      "ranks wait for one another: rank 0 waits in collective #1 of group 'one' for rank 1; " +
      "rank 1 waits in collective #1 of group 'two' for rank 0";
    const error = { name: 'DeadlineError', message };
    expect(found).toEqual([error, error]);
  });
});

describe('a rank that fails', () => {
  const cases: [Misdeed, RegExp][] = [
    ['throw', /^rank 1 failed: Error: a bug in the model$/],
    ['reject', /^rank 1 failed: Error: a bug in a promise$/],
    ['exit', /^rank 1 exited with code 3 before barrier #2 of SyncBatchNorm 'bn3'/],
    ['exit-clean', /^rank 1 exited with code 0 before barrier #2 of SyncBatchNorm 'bn3'/],
    ['release', /^rank 1 left before barrier #2 of SyncBatchNorm 'bn3'/],
    ['destroy', /^rank 1 left before barrier #2 of SyncBatchNorm 'bn3'/],
  ];

  it.each([false, true])(
    'in the middle of a long sum fails the others, arrays of the kernels: %s',
    async (allocated) => {
      const world = new TestWorld(3);
      try {
        const outcomes = await world.run('misbehave', (rank) => ({
          how: rank === 1 ? 'exit-in-sum' : 'wait-in-sum',
          allocated,
        }));
        for (const rank of [0, 2]) {
          expect(outcomes[rank].error?.name).toBe('RankFailedError');
          expect(outcomes[rank].error?.message).toMatch(
            /^rank 1 exited with code 3 before allReduce #1 of gradients with 8000000 float32/,
          );
        }
      } finally {
        await world.close();
      }
    },
  );

  it.each(cases)('by %s fails every other rank by name, within a second', async (how, message) => {
    const world = new TestWorld(3);
    try {
      await world.results('collectives', () => ({ calls: [{ kind: 'barrier' }], style: 'wait' }));
      const before = performance.now();
      const outcomes = await world.run('misbehave', (rank) => ({
        how: rank === 1 ? how : 'wait-in-barrier',
      }));
      expect(performance.now() - before).toBeLessThan(1000);
      for (const rank of [0, 2]) {
        expect(outcomes[rank].error?.name).toBe('RankFailedError');
        expect(outcomes[rank].error?.message).toMatch(message);
      }
    } finally {
      await world.close();
    }
  });
});
