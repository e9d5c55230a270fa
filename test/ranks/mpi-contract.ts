/** Every collective on every kind of array and length, in the world and in overlapping groups. */

import { deepStrictEqual, equal } from 'node:assert/strict';
import {
  createGroup,
  destroyGroup,
  MismatchError,
  type ProcessGroup,
  RankFailedError,
  type Work,
} from 'syncbn';
import {
  type Data,
  dataOf,
  errorOf,
  everyone,
  join,
  KINDS,
  type Kind,
  same,
  sharedMemories,
  sumOf,
} from './mpi-ranks.js';

/** The longest takes several chunks in every size of world. */
const LENGTHS = [0, 1, 3, 100, 513, 2049, 20_000, 300_001];

const world = await join(120);
const all = createGroup('world', everyone(world));
let checks = 0;

function expectSame(actual: Data, expected: Data, what: string): void {
  same(actual, expected, `rank ${world.rank}: ${what}`);
  checks++;
}

function checkSums(group: ProcessGroup, kind: Kind, length: number): void {
  const what = `${group.name}, ${kind.name} of ${length}`;
  const data = dataOf(kind, world.rank, length);
  expectSame(group.allReduce(data).wait(), sumOf(kind, group.ranks, length), `sum, ${what}`);
  for (const op of ['max', 'min'] as const) {
    const each = group.ranks.map((rank) => dataOf(kind, rank, length));
    const expected = each[0].slice() as Data;
    for (const values of each) {
      for (let i = 0; i < length; i++) expected[i] = Math[op](expected[i], values[i]);
    }
    const own = dataOf(kind, world.rank, length);
    expectSame(group.allReduce(own, { op }).wait(), expected, `${op}, ${what}`);
  }
}

function checkCopies(group: ProcessGroup, kind: Kind, length: number): void {
  const what = `${group.name}, ${kind.name} of ${length}`;
  const gathered = group.allGather(dataOf(kind, world.rank, length)).wait();
  group.ranks.forEach((rank, i) => {
    const part = gathered.subarray(i * length, (i + 1) * length) as Data;
    expectSame(part, dataOf(kind, rank, length), `gather from ${rank}, ${what}`);
  });
  const root = group.size - 1;
  const copy = group.broadcast(dataOf(kind, world.rank, length), { root }).wait();
  expectSame(copy, dataOf(kind, group.ranks[root], length), `broadcast, ${what}`);
}

function checkSharedMemory(group: ProcessGroup): void {
  const buffers = [
    new SharedArrayBuffer(8 * 80_000),
    new WebAssembly.Memory({ initial: 10, maximum: 20, shared: true }).buffer,
  ];
  for (const buffer of buffers) {
    for (const length of [3, 2049, 70_000]) {
      const data = new Float64Array(buffer, 64, length);
      data.set(dataOf(Float64Array, world.rank, length));
      group.allReduce(data).wait();
      expectSame(data.slice(), sumOf(Float64Array, group.ranks, length), `shared ${length}`);
    }
  }
}

/** Several works under way, ended in another order than started, some blocking and some not. */
async function checkOutstanding(groups: readonly ProcessGroup[]): Promise<void> {
  const started: [ProcessGroup, number, Work<Data>][] = [];
  for (const length of [5, 40_000, 129]) {
    for (const group of groups) {
      const work: Work<Data> = group.allReduce<Data>(dataOf(Float64Array, world.rank, length));
      started.push([group, length, work]);
    }
  }
  // Ranks wait in different orders: this must not matter.
  if (world.rank % 2 === 0) started.reverse();
  for (const [i, [group, length, work]] of started.entries()) {
    const sum = i % 2 === 0 ? await work.done() : work.wait();
    expectSame(sum, sumOf(Float64Array, group.ranks, length), `outstanding, ${group.name}`);
  }
}

function checkDisagreement(group: ProcessGroup): void {
  if (group.size === 1) return;
  const last = group.ranks[group.size - 1];
  const odd = group.rank === group.size - 1;
  const data = new Float64Array(129);
  const label = "SyncBatchNorm 'bn2'";
  const error = errorOf(() =>
    odd ? group.allReduce(data, { label }).wait() : group.barrier().wait(),
  );
  equal(error instanceof MismatchError, true, String(error));
  const number = /#(\d+)/.exec(error.message)?.[1];
  equal(
    error.message,
    `ranks disagree in group '${group.name}': rank ${last} is in allReduce #${number} of ${label} with 129 float64, ` +
      `rank ${group.ranks[0]} in barrier #${number}`,
  );
  // In as many messages and in more, in fewer, in another number, and in chunks.
  const lengths = [
    [129, 128],
    [3000, 128],
    [128, 3000],
    [5000, 3000],
    [90_000, 128],
  ] as const;
  for (const [ofOdd, ofOthers] of lengths) {
    const long = new Float64Array(odd ? ofOdd : ofOthers);
    const counts = errorOf(() => group.allReduce(long).wait());
    equal(counts instanceof MismatchError, true, String(counts));
  }
  const roots = errorOf(() => group.broadcast(data, { root: odd ? 1 : 0 }).wait());
  equal(roots instanceof MismatchError, true, String(roots));
  checks += 5;
}

async function checkRaise(group: ProcessGroup): Promise<void> {
  if (group.size === 1) return;
  const odd = group.rank === 1;
  const text = 'numFeatures must be 3, got 4 (ü)';
  for (const length of [50_000, 5000]) {
    const error = errorOf(() =>
      odd ? group.raise(text).wait() : group.allReduce(new Float32Array(length)).wait(),
    );
    equal(error instanceof RankFailedError, true, String(error));
    deepStrictEqual((error as RankFailedError).rank, group.ranks[1]);
    equal(error.message, `rank ${group.ranks[1]} failed: ${text}`);
  }
  // The group goes on.
  const sum = group.allReduce(Float64Array.of(1)).wait();
  expectSame(sum, Float64Array.of(group.size), 'after a raise');
}

for (const kind of KINDS) {
  for (const length of LENGTHS) {
    checkSums(all, kind, length);
    checkCopies(all, kind, length);
  }
}
all.barrier().wait();

const groups = [all];
const lists: [string, number[]][] = [
  ['pairs', [0, 1]],
  ['reversed', everyone(world).reverse()],
  ['but first', everyone(world).slice(1)],
  ['but last', everyone(world).slice(0, -1)],
];
for (const [name, ranks] of lists) {
  if (ranks.length === 0 || ranks.some((rank) => rank >= world.size)) continue;
  if (ranks.includes(world.rank)) groups.push(createGroup(name, ranks));
}
for (const group of groups) checkSums(group, Float32Array, 1000);
await checkOutstanding(groups);
checkSharedMemory(all);
for (const group of groups) checkDisagreement(group);
for (const group of groups) await checkRaise(group);

const shared = sharedMemories();
const shareable = groups.filter(({ size }) => size > 1).length;
for (const group of groups.slice(1)) destroyGroup(group.name);
if (world.size > 1) {
  const again = createGroup('reversed', everyone(world));
  expectSame(again.allReduce(Int32Array.of(1)).wait(), Int32Array.of(world.size), 'made again');
}
const sharing = `${shared} of ${shareable} groups share memory`;
console.log(`rank ${world.rank} of ${world.size}: ${checks} checks, ${sharing}`);
