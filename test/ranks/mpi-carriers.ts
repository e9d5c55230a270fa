/**
 * Groups that share memory, or do not, made and destroyed in ways that ranks choose for themselves.
 * Says how many memories and descriptors each rank holds.
 */

import { readdirSync, readlinkSync } from 'node:fs';
import { createGroup, destroyGroup, type ProcessGroup } from 'syncbn';
import { dataOf, everyone, join, same, sharedMemories, sumOf } from './mpi-ranks.js';

const refusing = process.argv[2];
const place = Number(process.env.OMPI_COMM_WORLD_RANK ?? process.env.PMI_RANK);
if (String(place) === refusing) process.env.SYNCBN_MPI_FRAMES = 'messages';
const world = await join(20);

function check(group: ProcessGroup): void {
  for (const length of [10, 3000, 30_000]) {
    const sum = group.allReduce(dataOf(Float64Array, world.rank, length)).wait();
    same(sum, sumOf(Float64Array, group.ranks, length), group.name);
  }
}

function descriptors(): number {
  const paths = readdirSync('/proc/self/fd').map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      // The one through which the folder itself was read.
      return '';
    }
  });
  return paths.filter((path) => path.startsWith('/memfd:syncbn')).length;
}

const all = createGroup('world', everyone(world));
all.barrier().wait();
const alone = sharedMemories();
const names = ['a', 'b', 'c', 'd', 'e', 'f'];
for (let round = 0; round < 3; round++) {
  const groups = names.map((name, i) =>
    createGroup(name, i % 2 === 0 ? everyone(world) : everyone(world).reverse()),
  );
  for (const group of groups) check(group);
  if (round === 2) console.log(`rank ${world.rank}: ${sharedMemories()} at most`);
  // Each rank for itself, and in an order of its own.
  for (let i = 0; i < names.length; i++) {
    destroyGroup(names[(i + world.rank * 2) % names.length]);
    check(all);
  }
}
const left = sharedMemories() - alone;
console.log(`rank ${world.rank}: ${left} left, ${descriptors()} descriptors`);
