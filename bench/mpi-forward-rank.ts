/** One rank of bench/mpi-forward.ts, a thread or a process: rank 0 says its times, a line a shape. */

import { parentPort } from 'node:worker_threads';
import { ProcessGroup } from '../src/group/process-group.js';
import { findGroup, init, release } from '../src/group/world.js';
import { SyncBatchNorm } from '../src/layers/sync-batch-norm.js';
import { allocateTensor } from '../src/ops/allocate.js';
import { fill } from './data.js';
import { type ShapeName, shapeNamed } from './shapes.js';

/** Microseconds of a forward pass. */
export interface ForwardTimes {
  readonly shape: ShapeName;
  /** Most blocks that a pass was cut into. */
  readonly blocks: number;
  readonly min: number;
  readonly median: number;
}

/** Values that go through the kernels before the clock: the engine then has compiled them for good. */
const WARM_UP_VALUES = 6e7;
const ROUNDS = 40;

const [shapes, ...choices] = process.argv.slice(2);
const blocks = choices.map(Number);
await init({ timeout: 60 });
const group = findGroup(null, 'bench');
let most = 1;
const { get } = Object.getOwnPropertyDescriptor(ProcessGroup.prototype, 'mostBlocks') ?? {};
// What the transport is set to is what the benchmark varies; 0 leaves it as it is.
Object.defineProperty(ProcessGroup.prototype, 'mostBlocks', {
  get() {
    return most || get?.call(this);
  },
});

for (const shape of [...shapes] as ShapeName[]) {
  const sizes = shapeNamed(shape, false);
  const [x, y] = [allocateTensor(sizes), allocateTensor(sizes)];
  fill(x.toFloats(), group.rank, 0, 0.5);
  // A layer for each choice: it remembers the blocks that its ranks have agreed on.
  const layers = blocks.map((count) => ({ count, layer: new SyncBatchNorm(sizes[1]) }));
  const times = blocks.map((): number[] => []);
  const warmUp = Math.max(20, Math.min(150, Math.round(WARM_UP_VALUES / x.size)));
  for (let round = -warmUp; round < ROUNDS; round++) {
    layers.forEach(({ count, layer }, i) => {
      most = count;
      layer.forward(x, { out: y });
      group.barrier().wait();
      const start = performance.now();
      layer.forward(x, { out: y });
      if (round >= 0) times[i].push((performance.now() - start) * 1000);
    });
  }
  layers.forEach(({ count }, i) => {
    const sorted = times[i].sort((a, b) => a - b);
    report({ shape, blocks: count, min: sorted[0], median: sorted[ROUNDS / 2] });
  });
  for (const tensor of [x, y]) tensor.dispose();
}
release();

function report(line: ForwardTimes): void {
  if (group.rank !== 0) return;
  if (parentPort !== null) parentPort.postMessage(line);
  else console.log(JSON.stringify(line));
}
