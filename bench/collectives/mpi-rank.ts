/**
 * One process of an MPI world, with two works: the library's own MPI_Allreduce, and this package's
 * all-reduce over the same library. Arguments: the socket to answer on, and the library compiled
 * from mpi.c, or nothing: koffi then calls MPI_Allreduce itself.
 */

import { findGroup, init } from '../../src/group/world.js';
import { GroupPlayer } from './group-player.js';
import { openDirect } from './mpi-direct.js';
import { serveMpi } from './serve-mpi.js';
import { type AllReduceTask, errorOfSum, summands } from './task.js';

const [socketPath, library] = process.argv.slice(2);
await init();
const group = findGroup(null, 'bench');
const direct = await openDirect(library);
const own = new GroupPlayer(group);
let task: AllReduceTask = { count: 0 };

await serveMpi<AllReduceTask>(
  socketPath,
  {
    prepare(next) {
      task = next;
      const sums = direct.sum(summands(task, group.rank));
      return { mpi: errorOfSum(sums, task, group.size), syncbn: own.prepare(task) };
    },
    turn(work, calls, samples) {
      if (work === 'syncbn') return own.turn(calls, samples);
      direct.batch(task.count, calls);
      return Array.from({ length: samples }, () => direct.batch(task.count, calls));
    },
  },
  direct.version,
);
