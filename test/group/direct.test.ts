import { BroadcastChannel } from 'node:worker_threads';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ProcessGroup } from '../../src/group/process-group.js';
import { joinThreadWorld } from '../../src/group/thread/node-world.js';
import { createThreadWorld } from '../../src/group/thread/world.js';

/** Long enough that threads read one another's arrays where they lie. */
const LENGTH = 400_003;

const shows = vi.spyOn(BroadcastChannel.prototype, 'postMessage');
let groups: ProcessGroup[] = [];

beforeEach(async () => {
  shows.mockClear();
  const ranks = [0, 1, 2];
  groups = await Promise.all(
    createThreadWorld(ranks.length).map(async (handle, rank) => {
      const world = await joinThreadWorld(handle);
      return new ProcessGroup('all', ranks, rank, world.connect('all', ranks), 60);
    }),
  );
});

afterEach(() => {
  for (const group of groups) group.close();
});

/** A whole number, so that sums of few are exact. */
const elementOf = (rank: number, i: number) => (rank + 1) * (i % 1000);

function fill(array: Float32Array, rank: number): Float32Array {
  for (let i = 0; i < array.length; i++) array[i] = elementOf(rank, i);
  return array;
}

/** The first element that is not the sum of all ranks' elements; -1: there is none. */
const wrongIn = (sums: Float32Array) =>
  sums.findIndex((sum, i) => sum !== groups.reduce((all, { rank }) => all + elementOf(rank, i), 0));

const shared = (length: number) => new Float32Array(new SharedArrayBuffer(4 * length));

async function sum(inputs: Float32Array[], outs: Float32Array[]): Promise<number[]> {
  inputs.forEach(fill);
  const works = groups.map((group, rank) => group.allReduce(inputs[rank], { out: outs[rank] }));
  return (await Promise.all(works.map((work) => work.done()))).map(wrongIn);
}

it('shows each memory once, and again when it has grown', async () => {
  const memories = groups.map(
    () => new WebAssembly.Memory({ initial: 64, maximum: 128, shared: true }),
  );
  const arrays = () => memories.map(({ buffer }) => new Float32Array(buffer, 4, LENGTH));
  const before = arrays();
  expect(await sum(before, before)).toEqual([-1, -1, -1]);
  expect(shows).toHaveBeenCalledTimes(3);
  expect(await sum(before, before)).toEqual([-1, -1, -1]);
  expect(shows).toHaveBeenCalledTimes(3);
  for (const memory of memories) memory.grow(1);
  expect(await sum(before, before)).toEqual([-1, -1, -1]);
  expect(shows).toHaveBeenCalledTimes(3);
  const after = arrays();
  expect(await sum(after, after)).toEqual([-1, -1, -1]);
  expect(shows).toHaveBeenCalledTimes(6);
});

it('shows memory again that was not in the call before', async () => {
  const [one, other] = [0, 1].map(() => groups.map(() => shared(LENGTH)));
  for (const arrays of [one, other, one]) expect(await sum(arrays, arrays)).toEqual([-1, -1, -1]);
  expect(shows).toHaveBeenCalledTimes(9);
});

it('writes results elsewhere, and leaves inputs as they are', async () => {
  const inputs = groups.map(() => shared(LENGTH));
  const outs = groups.map(() => shared(LENGTH));
  expect(await sum(inputs, outs)).toEqual([-1, -1, -1]);
  expect(shows).toHaveBeenCalledTimes(6);
  const changed = inputs.map((input, rank) =>
    input.findIndex((value, i) => value !== elementOf(rank, i)),
  );
  expect(changed).toEqual([-1, -1, -1]);
});

it.each([
  ['an array of one rank alone', (rank: number) => (rank === 1 ? 'ordinary' : 'shared')],
  ['a result that overlaps its input', () => 'overlapping'],
])('sums all the same, with %s', async (_, kindOf) => {
  const inputs: Float32Array[] = [];
  const outs: Float32Array[] = [];
  groups.forEach((__, rank) => {
    const room = kindOf(rank) === 'ordinary' ? new Float32Array(2 * LENGTH) : shared(2 * LENGTH);
    inputs.push(room.subarray(5, 5 + LENGTH));
    outs.push(
      kindOf(rank) === 'overlapping' ? room.subarray(0, LENGTH) : room.subarray(5, 5 + LENGTH),
    );
  });
  expect(await sum(inputs, outs)).toEqual([-1, -1, -1]);
});
