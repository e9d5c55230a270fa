/** Ranks that go wrong, each in the way that the first argument names. */

import {
  createGroup,
  DeadlineError,
  destroyGroup,
  GlobalBatchNorm,
  init,
  release,
  Tensor,
} from 'syncbn';
import { errorOf, everyone, join } from './mpi-ranks.js';

const mode = process.argv[2];
const world = await join(20);
const all = createGroup('world', everyone(world));
const pair = world.rank < 2 ? createGroup('pair', [0, 1]) : null;
all.barrier().wait();

const last = world.rank === world.size - 1;
const data = new Float64Array(100);
const label = "SyncBatchNorm 'bn1'";

/** Long enough for the others' deadline, and without a look at any message. */
function standStill(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

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
  if (last) standStill(3000);
  else {
    const error = errorOf(() => all.allReduce(data, { label, timeout: 0.5 }).wait());
    console.log(`${error.name}: ${error.message}`);
    const after = errorOf(() => all.barrier().wait());
    if (!(after instanceof DeadlineError)) throw after;
  }
} else if (mode === 'deadline-promise') {
  if (last) await new Promise((resolve) => setTimeout(resolve, 3000));
  else await all.allReduce(data, { label, timeout: 0.5 }).done();
} else if (mode === 'other-ranks') {
  const odd = createGroup('odd', last ? everyone(world).reverse() : everyone(world));
  odd.barrier().wait();
} else if (mode === 'chain') {
  // Rank 0 waits for rank 1, and that for the last one, which stands still.
  const next = world.rank > 0 ? createGroup('next', [1, 2]) : null;
  const waiting = world.rank === 0 ? pair : next;
  if (last) standStill(3000);
  else {
    const length = world.rank === 0 ? 100 : 300_000;
    const timeout = world.rank === 0 ? 0.5 : 1;
    const long = new Float64Array(length);
    console.log(errorOf(() => waiting!.allReduce(long, { timeout }).wait()).message);
  }
} else if (mode === 'late') {
  // Layers make their groups, too: the last rank makes its own for later than the others wait.
  const layer = () => new GlobalBatchNorm(2, { deviceNumEachGroup: 3, name: 'bn' }).setTrain();
  const x = Tensor.ones([2, 2]);
  if (last) standStill(2000);
  else
    console.log(
      errorOf(() => createGroup('odd', everyone(world)).barrier({ timeout: 0.5 }).wait()).message,
    );
  if (last)
    console.log(errorOf(() => createGroup('odd', everyone(world)).barrier().wait()).message);
  destroyGroup('odd');
  createGroup('odd', everyone(world)).barrier().wait();
  const groups = last ? ['x', 'y'] : ['y', 'x'];
  if (!last) layer().forward(x);
  for (const name of groups) createGroup(name, everyone(world));
  if (last) layer().forward(x);
  const [first, second] = ['x', 'y'].map((name) => createGroup(name, everyone(world)));
  const works = [first.barrier(), second.barrier()];
  for (const work of last ? works : works.toReversed()) work.wait();
  console.log(`rank ${world.rank} made all`);
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
