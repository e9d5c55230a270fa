/** This package as a contestant: one rank of a synchronized layer. */

import { setFlagsFromString } from 'node:v8';
import { workerData } from 'node:worker_threads';
import { findGroup, init } from '../../src/group/world.js';
import { errorsOf, reference } from '../data.js';
import { Pass } from '../pass.js';
import type { Task } from '../shapes.js';
import { samplesOf, serveThread } from '../turns/serve.js';

// Must come before the kernels, which ask the engine once.
if (workerData.relaxed) setFlagsFromString('--experimental-wasm-relaxed-simd');
await init();
const group = findGroup(null, 'bench');
let pass: Pass | null = null;

serveThread<Task>({
  prepare(task) {
    pass?.release();
    pass = new Pass(task, group.rank);
    pass.train();
    pass.train();
    return { ...errorsOf(pass.results(), reference(task, group.rank, group.ranks)) };
  },
  turn(work, calls, samples) {
    const current = pass!;
    const run = work === 'forward' ? () => current.forward() : () => current.train();
    return samplesOf(run, calls, samples, () => group.barrier().wait());
  },
});
