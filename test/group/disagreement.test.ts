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

describe('ranks that disagree', () => {
  it('all get the error that names both sides', async () => {
    const layer = "SyncBatchNorm 'bn2'";
    const found = await errors(2, (rank) => [
      rank === 0
        ? { kind: 'barrier', group: group('a', 2) }
        : { kind: 'allReduce', length: 129, label: layer, group: group('a', 2) },
    ]);
    const message =
      "ranks disagree in group 'a': rank 1 is in allReduce #1 of SyncBatchNorm 'bn2' with 129 float64, rank 0 in barrier #1";
    expect(found).toEqual([
      { name: 'MismatchError', message },
      { name: 'MismatchError', message },
    ]);
  });

  it.each<[string, Call, Call]>([
    ['lengths', { kind: 'allReduce', length: 3 }, { kind: 'allReduce', length: 4 }],
    ['long and short', { kind: 'allReduce', length: 3 }, { kind: 'allReduce', length: 90_000 }],
    ['types', { kind: 'allReduce', length: 3 }, { kind: 'allReduce', length: 3, type: 'float32' }],
    ['operations', { kind: 'allReduce', length: 3 }, { kind: 'allReduce', length: 3, op: 'max' }],
    ['roots', { kind: 'broadcast', length: 3 }, { kind: 'broadcast', length: 3, root: 2 }],
    ['labels', { kind: 'barrier', label: 'bn1' }, { kind: 'barrier', label: 'bn2' }],
    ['kinds', { kind: 'allGather', length: 3 }, { kind: 'allReduce', length: 3 }],
  ])('fail alike over %s, and go on together afterwards', async (what, one, other) => {
    const name = `differ in ${what}`;
    const calls = (rank: number): Call[] => [
      { ...(rank === 2 ? other : one), group: group(name, 3) },
      { kind: 'allReduce', values: [rank], group: group(name, 3) },
    ];
    const found = await errors(3, calls);
    expect(found[0]?.name).toBe('MismatchError');
    expect(found[0]?.message).toMatch(/rank 2 is in .*, rank 0 in /);
    expect(found).toEqual([found[0], found[0], found[0]]);
    expect(await errors(3, calls, 1)).toEqual([null, null, null]);
  });

  it('fail with the error that one of them joined with', async () => {
    const found = await errors(4, (rank) => [
      rank === 3
        ? { kind: 'raise', message: 'RangeError: 5 channels', group: group('raise', 4) }
        : { kind: 'allGather', length: 9, group: group('raise', 4) },
    ]);
    for (const error of found) {
      expect(error).toEqual({
        name: 'RankFailedError',
        message: 'rank 3 failed: RangeError: 5 channels',
      });
    }
  });

  it('are told when they wait for one another in two groups', async () => {
    const [one, two] = [group('one', 2), group('two', 2)];
    const found = await errors(2, (rank) => [{ kind: 'barrier', group: rank === 0 ? one : two }]);
    const message =
      "ranks wait for one another: rank 0 waits in collective #1 of group 'one' for rank 1; " +
      "rank 1 waits in collective #1 of group 'two' for rank 0";
    const error = { name: 'DeadlineError', message };
    expect(found).toEqual([error, error]);
  });

  it('fail at the deadline when a rank does not come, and name it', async () => {
    const [waiting] = await errors(2, (rank) =>
      rank === 0 ? [{ kind: 'barrier', timeout: 0.05, label: 'bn', group: group('late', 2) }] : [],
    );
    expect(waiting).toEqual({
      name: 'DeadlineError',
      message: "rank 0 waited 0.05 s in barrier #1 of bn in group 'late' for rank 1",
    });
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
