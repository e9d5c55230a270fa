import { expect, test } from 'vitest';
import { ThreadWorld } from '../../src/group/thread/thread-world.js';
import { createThreadWorld, markExited } from '../../src/group/thread/world.js';
import { memberGroup, worldsOf } from '../harness/groups-in-process.js';

const PAIR = [0, 1];
const NEXT = [1, 2];

test('a deadline names the rank at the end of a chain, and those between', async () => {
  const worlds = worldsOf(3);
  const between = memberGroup(worlds[1], 'next', NEXT, 0).barrier({ timeout: 5 }).done();
  memberGroup(worlds[2], 'next', NEXT, 1);
  memberGroup(worlds[1], 'pair', PAIR, 1);
  const waiting = memberGroup(worlds[0], 'pair', PAIR, 0).barrier({ timeout: 0.05 }).done();
  await expect(waiting).rejects.toThrow(
    "rank 0 waited 0.05 s in barrier #1 in group 'pair' for rank 2, for which rank 1 waits",
  );
  worlds[2].release();
  await expect(between).rejects.toThrow(/^rank 2 left before barrier #1 in group 'next'/);
});

test('a rank that has given up still leads to the rank for which it waited', async () => {
  const worlds = worldsOf(3);
  memberGroup(worlds[2], 'next', NEXT, 1);
  const next = memberGroup(worlds[1], 'next', NEXT, 0);
  await expect(next.barrier({ timeout: 0.02 }).done()).rejects.toThrow(/for rank 2$/);
  memberGroup(worlds[1], 'pair', PAIR, 1);
  const waiting = memberGroup(worlds[0], 'pair', PAIR, 0).barrier({ timeout: 0.02 }).done();
  await expect(waiting).rejects.toThrow(/ for rank 2, for which rank 1 waits$/);
});

test('ranks that await one another in a circle name the next', async () => {
  const worlds = worldsOf(2);
  const group = (rank: number, name: string) => memberGroup(worlds[rank], name, PAIR, rank);
  const [a, b] = [group(0, 'a'), group(1, 'b')];
  group(0, 'b');
  group(1, 'a');
  const [first, second] = [a.barrier({ timeout: 0.05 }), b.barrier({ timeout: 5 })];
  const other = second.done().catch(String);
  await expect(first.done()).rejects.toThrow(/ in group 'a' for rank 1$/);
  worlds[0].release();
  expect(await other).toContain('rank 0 left before barrier #1');
});

test('a rank that leaves before it has made a group fails those that wait in it', async () => {
  const worlds = worldsOf(2);
  const waiting = memberGroup(worlds[0], 'pair', PAIR, 0).barrier({ timeout: 5 }).done();
  worlds[1].release();
  await expect(waiting).rejects.toMatchObject({
    name: 'RankFailedError',
    rank: 1,
    message: expect.stringMatching(/^rank 1 left before barrier #1 in group 'pair'/),
  });
});

test('ranks that leave and come back meet again, whoever is first', async () => {
  const handles = createThreadWorld(2, { timeout: 5 });
  for (const handle of handles) new ThreadWorld(handle).release();
  const first = new ThreadWorld(handles[0]);
  const second = new ThreadWorld(handles[1]);
  const waiting = memberGroup(first, 'pair', PAIR, 0).barrier().done();
  await memberGroup(second, 'pair', PAIR, 1).barrier().done();
  await waiting;
  const again = memberGroup(first, 'other', PAIR, 0).barrier().done();
  second.release();
  await expect(again).rejects.toThrow(/^rank 1 left before barrier #1 in group 'other'/);
});

test('a rank that is back waits for those that have yet to come back', async () => {
  const handles = createThreadWorld(2, { timeout: 5 });
  for (const handle of handles) new ThreadWorld(handle).release();
  const waiting = memberGroup(new ThreadWorld(handles[0]), 'pair', PAIR, 0).barrier().done();
  const late = memberGroup(new ThreadWorld(handles[1]), 'pair', PAIR, 1).barrier().done();
  await Promise.all([waiting, late]);
});

test('of ranks that leave the world, the first is named, though a later one leaves more groups', async () => {
  const worlds = worldsOf(3);
  const all = worlds.map((world, rank) => memberGroup(world, 'all', [0, 1, 2], rank));
  worlds[2].release();
  worlds[0].release();
  all[0].close();
  await expect(all[1].barrier({ timeout: 5 }).done()).rejects.toThrow(/^rank 2 left/);
});

test('a rank that left and whose thread ended later is not named before one that left first', async () => {
  const handles = createThreadWorld(3, { timeout: 5 });
  const worlds = handles.map((handle) => new ThreadWorld(handle));
  const all = worlds.map((world, rank) => memberGroup(world, 'all', [0, 1, 2], rank));
  worlds[2].release();
  worlds[0].release();
  markExited(handles[0], 1);
  await expect(all[1].barrier().done()).rejects.toThrow(/^rank 2 left/);
});

test('a rank that a deadline of others has freed leads to the rank that stands still', async () => {
  const worlds = worldsOf(4);
  const all = worlds.map((world, rank) => memberGroup(world, 'all', [0, 1, 2, 3], rank));
  const pairs = [1, 0, 3].map((rank) =>
    memberGroup(worlds[rank], 'three', [1, 0, 3], [1, 0, 3].indexOf(rank)),
  );
  const freed = pairs[1].barrier({ timeout: 5 }).done().catch(String);
  await expect(pairs[0].barrier({ timeout: 0.02 }).done()).rejects.toThrow(/ for rank 3$/);
  expect(await freed).toContain(' for rank 3');
  const waiting = all[2].barrier({ timeout: 0.02 }).done();
  await expect(waiting).rejects.toThrow(/ for rank 3, for which rank 0, 1 wait$/);
});

test('a rank that leaves after a failure leads to the rank for which it failed', async () => {
  const worlds = worldsOf(3);
  // The member that stands out is the second.
  const pairs = [0, 1].map((rank) => memberGroup(worlds[rank], 'pair', [1, 0], 1 - rank));
  const next = memberGroup(worlds[2], 'next', NEXT, 1);
  const other = pairs[0].barrier().done().catch(String);
  const sum = pairs[1].allReduce(new Float64Array(3)).done();
  await expect(sum).rejects.toThrow(/^ranks disagree in group 'pair'/);
  await other;
  worlds[1].release();
  await expect(next.barrier({ timeout: 5 }).done()).rejects.toThrow(
    /^rank 1 left before barrier #1 in group 'next', which rank 2 is in, after a call of it had failed for rank 0$/,
  );
});
