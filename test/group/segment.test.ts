import { createThreadWorld, DeadlineError, failThreadWorld, RankFailedError } from 'syncbn';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { ProcessGroup } from '../../src/group/process-group.js';
import { AREA, GroupArea } from '../../src/group/thread/area.js';
import { Segment, WORD_LOCK } from '../../src/group/thread/segment.js';
import { ThreadWorld } from '../../src/group/thread/thread-world.js';
import { markExited } from '../../src/group/thread/world.js';
import { groupOf, memberGroup, sumOver, worldsOf } from '../harness/groups-in-process.js';
import { closeSharedWorlds, sharedWorld, TestWorld } from '../harness/world.js';
import type { GroupOutcome, GroupStep } from '../ranks/groups.js';
import { errorOf } from '../ranks/mpi-ranks.js';

afterAll(closeSharedWorlds);

/** Bytes that a group of two takes: slots, control words, and no name to speak of. */
const PAIR_BYTES = 300 * 1024;

const step = (call: string, ...args: unknown[]): GroupStep => ({ call, args });

describe('the list of groups whose lock another rank holds', () => {
  /** Handles of a world, in which rank 1 has the lock, and how rank 0 makes a group. */
  function locked() {
    const handles = createThreadWorld(2, { timeout: 0.2 });
    new Segment(handles[0].segment).words[WORD_LOCK] = 1 + 1;
    const world = new ThreadWorld(handles[0]);
    return { handles, make: () => world.connect('all', [0, 1]) };
  }

  it('is taken over when that rank has ended', () => {
    const { handles, make } = locked();
    markExited(handles[1], 1);
    expect(make()).toBeDefined();
    // The lock is free again.
    expect(make()).toBeDefined();
  });

  it('is waited for until the deadline, which names the rank', () => {
    const { make } = locked();
    expect(errorOf(make)).toEqual(
      new DeadlineError('createGroup: rank 0 waited 0.2 s for rank 1 to make a group'),
    );
  });

  it('is not waited for when the world has failed', () => {
    const { handles, make } = locked();
    failThreadWorld(handles[1], 'rank 1 failed: Error: boom');
    expect(errorOf(make)).toEqual(new RankFailedError(1, 'rank 1 failed: Error: boom'));
  });
});

describe('memory for groups', () => {
  it('runs out with an error that says how much is missing, and what to do', () => {
    const worlds = worldsOf(2, { areaBytes: PAIR_BYTES });
    groupOf(worlds, 'first');
    expect(() => groupOf(worlds, 'second')).toThrow(RangeError);
    expect(() => groupOf(worlds, 'second')).toThrow(
      /^createGroup: group 'second' needs \d+ bytes of shared memory in one piece, \d+ are left in all; destroy groups that are not needed, on all their members$/,
    );
  });

  it('comes back when every member has destroyed its group', async () => {
    const worlds = worldsOf(2, { areaBytes: PAIR_BYTES, timeout: 0.05 });
    const groups = groupOf(worlds, 'first');
    groups[0].close();
    const error = errorOf(() => memberGroup(worlds[0], 'second', [0, 1], 0));
    expect(error.name).toBe('DeadlineError');
    expect(error.message).toMatch(/; rank 0 waited 0.05 s for rank 1 to leave groups$/);
    groups[1].close();
    expect(await sumOver(groupOf(worlds, 'second'))).toEqual([3, 3]);
  });

  it('is taken when the others leave their groups while a rank looks who is behind', () => {
    const worlds = worldsOf(2, { areaBytes: PAIR_BYTES });
    const groups = groupOf(worlds, 'first');
    groups[1].close();
    const { leftAs } = GroupArea.prototype;
    const look = vi.spyOn(GroupArea.prototype, 'leftAs').mockImplementationOnce(function (
      this: GroupArea,
      member,
    ) {
      groups[0].close();
      return leftAs.call(this, member);
    });
    expect(memberGroup(worlds[1], 'second', [0, 1], 1)).toBeDefined();
    expect(look).toHaveBeenCalled();
    look.mockRestore();
  });

  it('is waited for if a rank has left, and has yet to be counted', () => {
    const handles = createThreadWorld(2, { areaBytes: PAIR_BYTES, timeout: 0.05 });
    const segment = new Segment(handles[0].segment);
    const worlds = handles.map((handle) => new ThreadWorld(handle));
    for (const group of groupOf(worlds, 'first')) group.close();
    Atomics.sub(segment.words, segment.firstArea + AREA.left, 1);
    const error = errorOf(() => memberGroup(worlds[1], 'second', [0, 1], 1));
    expect(error.message).toMatch(/; rank 1 waited 0.05 s for rank 0 to leave groups$/);
    Atomics.add(segment.words, segment.firstArea + AREA.left, 1);
    expect(memberGroup(worlds[1], 'second', [0, 1], 1)).toBeDefined();
  });

  it('is waited for by a rank that is far ahead of another', async () => {
    const world = new TestWorld(2, { areaBytes: 10 * PAIR_BYTES });
    try {
      const start = step('createGroup', 'start', [0, 1]);
      const [early, late] = [step('makeAndLeave', 'early', 10), step('makeAndLeave', 'late', 300)];
      // Rank 1 begins when rank 0 is ten groups ahead. There is room for some forty.
      const outcomes = await world.results<GroupOutcome[]>('groups', (rank) =>
        rank === 0
          ? [start, early, step('begin', 'start'), late]
          : [start, step('use', 'start', 'barrier'), early, late],
      );
      expect(outcomes.map((own) => own.at(-1))).toEqual([{ value: 300 }, { value: 300 }]);
    } finally {
      await world.close();
    }
  });

  it('is joined again: many small groups make room for a larger one', async () => {
    const worlds = worldsOf(3, { areaBytes: 60 * PAIR_BYTES });
    const pairs: ProcessGroup[][] = [];
    const fill = () => {
      for (;;) pairs.push(groupOf(worlds, `pair ${pairs.length}`, [0, 1]));
    };
    expect(fill).toThrow(RangeError);
    expect(pairs.length).toBeGreaterThan(60);
    expect(() => groupOf(worlds, 'all')).toThrow(RangeError);
    for (const pair of pairs) for (const group of pair) group.close();
    expect(await sumOver(groupOf(worlds, 'all'))).toEqual([6, 6, 6]);
  });

  it('never runs out over thousands of groups, one after the other', async () => {
    const worlds = worldsOf(3, { areaBytes: 5 * PAIR_BYTES });
    for (let i = 0; i < 3000; i++) {
      const pair = groupOf(worlds, `pair ${i}`, i % 2 === 0 ? [0, 1] : [2, 1]);
      const all = groupOf(worlds, `all ${i}`);
      if (i % 100 === 0) expect(await sumOver(all)).toEqual([6, 6, 6]);
      for (const group of [...pair, ...all]) group.close();
    }
    expect(await sumOver(groupOf(worlds, 'last', [2, 0]))).toEqual([3, 3]);
  });

  it('holds more than sixteen groups at once, which do not disturb one another', async () => {
    const worlds = worldsOf(4);
    const lists = [
      [0, 1],
      [1, 0],
      [0, 2, 3],
      [3, 2, 1, 0],
      [1, 3],
    ];
    const groups = Array.from({ length: 40 }, (_, i) =>
      groupOf(worlds, `group ${i}`, lists[i % lists.length]),
    );
    const sums = await Promise.all(groups.map((members) => sumOver(members)));
    sums.forEach((own, i) => {
      const size = lists[i % lists.length].length;
      expect(own).toEqual(lists[i % lists.length].map(() => (size * (size + 1)) / 2));
    });
  });

  it('is clean when it is taken again: no old failure, label or step is left', async () => {
    const worlds = worldsOf(2, { areaBytes: PAIR_BYTES });
    const old = groupOf(worlds, 'old');
    for (let i = 0; i < 3; i++) await sumOver(old);
    const late = old[0].barrier({ timeout: 0.01, label: 'old label' });
    await expect(late.done()).rejects.toThrow(/^rank 0 waited 0.01 s in barrier #4 of old label/);
    await expect(old[1].barrier().done()).rejects.toThrow(/old label/);
    for (const group of old) group.close();
    const fresh = groupOf(worlds, 'new');
    expect(await sumOver(fresh)).toEqual([3, 3]);
    const works = [fresh[0].barrier(), fresh[1].allReduce(Float64Array.of(1))];
    const errors = await Promise.all(works.map((work) => work.done().catch(String)));
    const message =
      "MismatchError: ranks disagree in group 'new': rank 1 is in allReduce #2 with 1 float64, " +
      'rank 0 in barrier #2';
    expect(errors).toEqual([message, message]);
  });

  it('survives ranks that make and destroy groups at the same time', async () => {
    const outcomes = await sharedWorld(4).results<GroupOutcome[]>('groups', () => [
      { call: 'cycle', args: [150] },
    ]);
    const expected = [0, 1, 2, 3].map((rank) => {
      const [left, right] = [(rank + 3) % 4, (rank + 1) % 4];
      return 150 * (2 * (rank + 1) + left + 1 + right + 1);
    });
    expect(outcomes).toEqual(expected.map((value) => [{ value }]));
  });
});

describe('a group that is made anew under its old name', () => {
  it('is another group: nobody joins the one that was left', async () => {
    const worlds = worldsOf(2);
    const old = groupOf(worlds, 'g');
    old[0].close();
    const first = memberGroup(worlds[0], 'g', [0, 1], 0);
    const early = first.allReduce(Float64Array.of(5));
    await expect(old[1].barrier({ timeout: 1 }).done()).rejects.toThrow(
      "rank 0 left before barrier #1 in group 'g', which rank 1 is in",
    );
    old[1].close();
    const second = memberGroup(worlds[1], 'g', [0, 1], 1);
    expect([...second.allReduce(Float64Array.of(2)).wait()]).toEqual([7]);
    expect([...(await early.done())]).toEqual([7]);
    expect(await sumOver([first, second])).toEqual([3, 3]);
  });

  it('is met after the older one, wherever the two lie in memory', async () => {
    const worlds = worldsOf(2);
    const filler = groupOf(worlds, 'filler');
    memberGroup(worlds[0], 'g', [0, 1], 0).close();
    for (const group of filler) group.close();
    const again = memberGroup(worlds[0], 'g', [0, 1], 0);
    const late = memberGroup(worlds[1], 'g', [0, 1], 1);
    await expect(late.barrier({ timeout: 1 }).done()).rejects.toThrow(/^rank 0 left before/);
    late.close();
    expect(await sumOver([again, memberGroup(worlds[1], 'g', [0, 1], 1)])).toEqual([3, 3]);
  });

  it('may have other ranks, once all have left', async () => {
    const worlds = worldsOf(3);
    for (const group of groupOf(worlds, 'g', [0, 1])) group.close();
    expect(await sumOver(groupOf(worlds, 'g', [1, 2]))).toEqual([3, 3]);
  });

  it('cannot have other ranks while another rank holds the name', () => {
    const worlds = worldsOf(3);
    memberGroup(worlds[0], 'g', [0, 1], 0);
    expect(() => memberGroup(worlds[1], 'g', [1, 0], 0)).toThrow(
      new RangeError(
        "createGroup: another rank made group 'g' with ranks 0, 1, this rank asks for ranks 1, 0",
      ),
    );
    expect(() => memberGroup(worlds[1], 'g', [1, 2], 0)).toThrow(RangeError);
  });
});
