/** One rank of bench/mpi-forward.ts, a thread or a process: rank 0 says its times, a line a shape. */

import { parentPort } from 'node:worker_threads';
import { findGroup, init, release } from '../src/group/world.js';
import { SyncBatchNorm } from '../src/layers/sync-batch-norm.js';
import { allocateTensor } from '../src/ops/allocate.js';
import { fill } from './data.js';
import { type ShapeName, shapeNamed } from './shapes.js';

/** Microseconds of a forward pass. */
export interface ForwardTimes {
  readonly shape: ShapeName;
  readonly min: number;
  readonly median: number;
}

/** Values that go through the kernels before the clock: the engine then has compiled them for good. */
const WARM_UP_VALUES = 6e7;
const ROUNDS = 40;

const [shapes] = process.argv.slice(2);
await init({ timeout: 60 });
const group = findGroup(null, 'bench');

for (const shape of [...shapes] as ShapeName[]) {
  const sizes = shapeNamed(shape, false);
  const [x, y] = [allocateTensor(sizes), allocateTensor(sizes)];
  fill(x.toFloats(), group.rank, 0, 0.5);
  const layer = new SyncBatchNorm(sizes[1]);
  const times: number[] = [];
  const warmUp = Math.max(20, Math.min(150, Math.round(WARM_UP_VALUES / x.size)));
  for (let round = -warmUp; round < ROUNDS; round++) {
    group.barrier().wait();
    const start = performance.now();
    layer.forward(x, { out: y });
    if (round >= 0) times.push((performance.now() - start) * 1000);
  }
  times.sort((a, b) => a - b);
  report({ shape, min: times[0], median: times[ROUNDS / 2] });
  for (const tensor of [x, y]) tensor.dispose();
}
release();

function report(line: ForwardTimes): void {
  if (group.rank !== 0) return;
  if (parentPort !== null) parentPort.postMessage(line);
  else console.log(JSON.stringify(line));
}
