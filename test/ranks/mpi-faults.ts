/** Ranks that go wrong, each in the way that the first argument names. */

import { createGroup, DeadlineError, init, release } from 'syncbn';
import { errorOf, everyone, join } from './mpi-ranks.js';

const mode = process.argv[2];
const world = await join(20);
const all = createGroup('world', everyone(world));
const pair = world.rank < 2 ? createGroup('pair', [0, 1]) : null;
all.barrier().wait();

const last = world.rank === world.size - 1;
const data = new Float64Array(100);
const label = "SyncBatchNorm 'bn1'";

if (mode === 'exit' && last) process.exit(0);
if (mode === 'exit-code' && last) process.exit(7);
if (mode === 'throw' && last) throw new TypeError('the batch is a string');
if (mode === 'reject' && last) await Promise.reject(new RangeError('no such file'));
if (mode === 'kill' && last) process.kill(process.pid, 'SIGKILL');
if (mode === 'exit-from-pair') {
  if (world.rank === 1) process.exit(0);
  pair?.allReduce(data, { label }).wait();
}
if (mode === 'deadline') {
  if (last) {
    // Long enough for the others' deadline, and without a look at any message.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
  } else {
    const error = errorOf(() => all.allReduce(data, { label, timeout: 0.5 }).wait());
    console.log(`${error.name}: ${error.message}`);
    const after = errorOf(() => all.barrier().wait());
    if (!(after instanceof DeadlineError)) throw after;
  }
} else if (mode === 'deadline-promise') {
  if (last) await new Promise((resolve) => setTimeout(resolve, 3000));
  else await all.allReduce(data, { label, timeout: 0.5 }).done();
} else if (mode === 'other-ranks') {
  createGroup('odd', last ? everyone(world).reverse() : everyone(world));
} else if (mode === 'catch') {
  if (!last) console.log(errorOf(() => all.allReduce(data, { label }).wait()).message);
} else if (mode === 'release') {
  all.allReduce(data).wait();
  release();
  const again = await init().catch(String);
  console.log(`rank ${world.rank} released, ${again}`);
} else {
  all.allReduce(data, { label }).wait();
}
