import { afterAll, describe, expect, it } from 'vitest';
import { closeSharedWorlds, SIZES, sharedWorld } from '../harness/world.js';
import type { GroupOutcome, GroupStep } from '../ranks/groups.js';

afterAll(closeSharedWorlds);

/** Each rank's outcomes of its steps; null: the rank has none. */
function run(size: number, stepsOf: (rank: number) => GroupStep[] | null) {
  return sharedWorld(size).results<GroupOutcome[]>('groups', stepsOf);
}

const step = (call: string, ...args: unknown[]): GroupStep => ({ call, args });
const fails = (name: string, message: string) => ({ error: { name, message } });
const gives = (value: unknown) => ({ value });

describe.each(SIZES)('the world of %i ranks', (size) => {
  const ranks = Array.from({ length: size }, (_, rank) => rank);

  it('answers every question of the table', async () => {
    const outcomes = await run(size, () => [
      step('getRank'),
      step('getGroupSize'),
      step('getLocalRank'),
      step('getLocalRankSize'),
      step('getProcessGroupRanks', 'world'),
      step('getWorldRankFromGroupRank', 'world', size - 1),
      step('getGroupRankFromWorldRank', size - 1, 'world'),
    ]);
    outcomes.forEach((own, rank) => {
      const answers = [rank, size, rank, size, ranks, size - 1, size - 1];
      expect(own).toEqual(answers.map(gives));
    });
  });

  it('is left and joined again', async () => {
    await run(size, () => [step('createGroup', 'before', ranks), step('use', 'before', 'barrier')]);
    const outcomes = await run(size, () => [
      step('releaseAndInit'),
      step('getGroupSize', 'before'),
      step('createGroup', 'before', [...ranks].reverse()),
      step('use', 'before', 'allReduce', 2),
      step('destroyGroup', 'before'),
    ]);
    outcomes.forEach((own, rank) => {
      expect(own[0]).toEqual(gives([false, true, rank, size]));
      expect(own[1]).toEqual(
        fails('RangeError', "getGroupSize: unknown group 'before'; this rank knows world"),
      );
      expect(own[3]).toEqual(gives([2 * size]));
    });
  });
});

describe('a group of some ranks', () => {
  const members = [3, 1];

  it('numbers its members in the order of the list; others can name it but not use it', async () => {
    const name = 'some';
    const outcomes = await run(4, () => [
      step('createGroup', name, members),
      step('createAgain', name, members),
      step('getRank', name),
      step('getGroupSize', name),
      step('getLocalRank', name),
      step('getLocalRankSize', name),
      step('getProcessGroupRanks', name),
      step('getWorldRankFromGroupRank', name, 0),
      step('getGroupRankFromWorldRank', 1, name),
      step('getGroupRankFromWorldRank', 0, name),
      step('getWorldRankFromGroupRank', name, 2),
      step('sizeOfObject', name),
      step('use', name, 'allGather', 7),
      step('destroyGroup', name),
      step('getRank', name),
    ]);
    outcomes.forEach((own, rank) => {
      const member = members.indexOf(rank);
      const only = (caller: string, value: unknown) =>
        member >= 0
          ? gives(value)
          : fails('RangeError', `${caller}: rank ${rank} is not in group 'some' (ranks 3, 1)`);
      expect(own).toEqual([
        gives({ name, ranks: members, rank: member, size: 2 }),
        gives(true),
        only('getRank', member),
        gives(2),
        only('getLocalRank', member),
        gives(2),
        gives(members),
        gives(3),
        gives(1),
        fails(
          'RangeError',
          "getGroupRankFromWorldRank: rank 0 is not in group 'some' (ranks 3, 1)",
        ),
        fails('RangeError', "getWorldRankFromGroupRank: group 'some' has ranks 0 to 1, not 2"),
        gives(2),
        member >= 0
          ? gives([7, 7])
          : fails('RangeError', "allGather: this rank is not in group 'some' (ranks 3, 1)"),
        gives(null),
        fails('RangeError', "getRank: unknown group 'some'; this rank knows world"),
      ]);
    });
  });

  it('keeps its name until it is destroyed, on this rank', async () => {
    const [outcomes] = await run(4, (rank) =>
      rank > 0
        ? null
        : [
            step('createGroup', 'taken', [0, 1]),
            step('createGroup', 'taken', [1, 0]),
            step('createGroup', 'taken', [0]),
            step('destroyGroup', 'taken'),
            step('createGroup', 'taken', [0]),
            step('destroyGroup', 'taken'),
          ],
    );
    expect(outcomes[1]).toEqual(
      fails('RangeError', "createGroup: group 'taken' exists with ranks 0, 1, not 1, 0"),
    );
    expect(outcomes[2]).toEqual(
      fails('RangeError', "createGroup: group 'taken' exists with ranks 0, 1, not 0"),
    );
    expect(outcomes[4]).toEqual(gives({ name: 'taken', ranks: [0], rank: 0, size: 1 }));
  });

  it('keeps its name from another rank that it names, too', async () => {
    const only = (who: number, steps: GroupStep[]) =>
      run(3, (rank) => (rank === who ? steps : null)).then((all) => all[who]);
    await only(0, [step('createGroup', 'theirs', [0, 1])]);
    expect(await only(1, [step('createGroup', 'theirs', [1, 2])])).toEqual([
      fails(
        'RangeError',
        "createGroup: another rank made group 'theirs' with ranks 0, 1, this rank asks for ranks 1, 2",
      ),
    ]);
    // A failed call leaves nothing behind, and the right one joins.
    const right = [step('createGroup', 'theirs', [0, 1]), step('use', 'theirs', 'barrier')];
    const outcomes = await run(3, (rank) => (rank === 2 ? null : right));
    expect(outcomes.slice(0, 2).map((own) => own[1])).toEqual([gives('done'), gives('done')]);
    await run(3, (rank) => (rank === 2 ? null : [step('destroyGroup', 'theirs')]));
  });

  it('of one name may exist twice, among other ranks each', async () => {
    const outcomes = await run(4, (rank) => [
      step('createGroup', 'half', rank < 2 ? [0, 1] : [2, 3]),
      step('use', 'half', 'allReduce', 10 ** rank),
      step('destroyGroup', 'half'),
    ]);
    expect(outcomes.map((own) => own[1])).toEqual([[11], [11], [1100], [1100]].map(gives));
  });

  it('of one rank sends nothing, and others cannot use it', async () => {
    const [own, other] = await run(2, () => [
      step('createGroup', 'me', [0]),
      step('use', 'me', 'allReduce', 5),
      step('destroyGroup', 'me'),
    ]);
    expect(own[1]).toEqual(gives([5]));
    expect(other[1]).toEqual(
      fails('RangeError', "allReduce: this rank is not in group 'me' (ranks 0)"),
    );
  });
});
