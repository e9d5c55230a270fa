/** One rank of the benchmark, in a worker: checks each result, then times all competitors in turn. */

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import '../src/features/all.js';
import type { ThreadWorldHandle } from '../src/group/thread/world.js';
import { findGroup, init } from '../src/group/world.js';
import { defaultKernels } from '../src/kernels/select.js';
import { WasmKernels } from '../src/kernels/wasm/kernels.js';
import { allocateTensor } from '../src/ops/allocate.js';
import { errorsOf, reference } from './data.js';
import { Pass } from './pass.js';
import type { Task } from './shapes.js';
import { type Spread, spreadOf } from './statistics.js';

export interface RankData {
  /** Where `init` finds this rank's world. */
  readonly syncbn: ThreadWorldHandle;
  readonly tasks: readonly Task[];
  readonly relaxed: boolean;
  /** Seconds for each task. */
  readonly seconds: number;
}

export type Measured = 'copy' | 'triad' | 'forward' | 'backward';

/** What rank 0 measured, all ranks at work. */
export interface Measurement {
  readonly task: Task;
  readonly ranks: number;
  readonly kernels: string;
  /** Bytes of x. */
  readonly bytes: number;
  /** Rank 0's, to the float64 reference; every rank has checked its own. */
  readonly error: number;
  readonly times: Readonly<Record<Measured, Spread>>;
}

const WARM_UP = 30;
/**
 * Passes over the smallest shape before all others: the engine compiles the layers' JavaScript
 * anew while it is called, for some 3,000 calls, which cost the first shape 10 us each.
 */
const COMPILING = 4000;
/** Largest error relative to 1 + the value; sums of the float64 reference have some themselves. */
const TOLERANCE = { float32: 1e-6, float64: 1e-11 };

const { tasks, relaxed, seconds } = workerData as RankData;
// Must come before the kernels, which ask the engine once.
if (relaxed) setFlagsFromString('--experimental-wasm-relaxed-simd');
await init();
const group = findGroup(null, 'bench');
const { rank, size: ranks } = group;
const kernels = defaultKernels();
if (!(kernels instanceof WasmKernels)) throw new Error('bench: no WebAssembly SIMD here');
const limits = new WebAssembly.Instance(new WebAssembly.Module(readFileSync('build/limits.wasm')), {
  env: { memory: kernels.heap.memory },
}).exports as Record<'copy' | 'triad', (...args: number[]) => void>;

warmUp();
for (const task of tasks) {
  const measurement = measure(task);
  if (rank === 0) parentPort?.postMessage(measurement);
}

function warmUp(): void {
  const smallest: Task = { shape: 'L', channelsLast: false, dtype: 'float32', mean: 0 };
  const pass = new Pass(smallest, rank);
  for (let i = 0; i < COMPILING; i++) pass.train();
  pass.release();
}

function measure(task: Task): Measurement {
  const pass = new Pass(task, rank);
  const error = check(pass, task);
  const bytes = pass.x.data.byteLength;
  const room = limitArrays(pass, task);
  const [x, y, dy, dx] = room.arrays.map(({ data }) => data.byteOffset);
  const competitors: Record<Measured, () => void> = {
    copy: () => limits.copy(y, x, bytes),
    triad: () => limits.triad(dx, x, dy, bytes & ~63),
    forward: () => pass.forward(),
    backward: () => pass.backward(),
  };
  const times = timesOf(competitors, bytes);
  room.release();
  pass.release();
  return { task, ranks, kernels: defaultKernels().name, bytes, error, times };
}

/** @throws Error where a result is too far from the reference */
function check(pass: Pass, task: Task): number {
  // Twice: the ranks agree on blocks in the first call, and take them from the second on.
  for (let i = 0; i < 2; i++) {
    pass.prepareBackward();
    pass.backward();
  }
  const everyone = Array.from({ length: ranks }, (_, r) => r);
  const error = errorsOf(pass.results(), reference(task, rank, everyone)).training ?? Number.NaN;
  if (!(error <= TOLERANCE[task.dtype])) {
    throw new Error(`${task.shape}: rank ${rank} is ${error} from the reference`);
  }
  return error;
}

/**
 * What copy and triad read and write: the pass's own arrays, which are then in the same cache. In
 * float64 others of as many bytes: triad adds float32, and halves of float64 can be denormal.
 */
function limitArrays(pass: Pass, task: Task) {
  if (task.dtype === 'float32') {
    return { arrays: [pass.x, pass.y, pass.dy, pass.dx], release: () => {} };
  }
  const arrays = Array.from({ length: 4 }, () => allocateTensor([2 * pass.x.data.length]));
  return { arrays, release: () => arrays.forEach((tensor) => void tensor.dispose()) };
}

function timesOf(competitors: Record<Measured, () => void>, bytes: number): Measurement['times'] {
  const names = Object.keys(competitors) as Measured[];
  const times = names.map(() => [] as number[]);
  // About 4 copies' worth each, at 10 GB/s.
  const rounds = Math.min(3000, Math.max(15, Math.round((seconds * 1e10) / (bytes * 10))));
  const inner = bytes < 1e5 ? 20 : 1;
  group.barrier().wait();
  for (let round = -WARM_UP; round < rounds; round++) {
    names.forEach((name, i) => {
      const run = competitors[name];
      // The last competitor left its own data in the cache: once without the clock.
      run();
      group.barrier().wait();
      const start = performance.now();
      for (let call = 0; call < inner; call++) run();
      group.barrier().wait();
      const micros = ((performance.now() - start) * 1000) / inner;
      if (round >= 0) times[i].push(micros);
    });
  }
  const spreads = names.map((name, i) => [name, spreadOf(times[i])]);
  return Object.fromEntries(spreads) as Measurement['times'];
}
