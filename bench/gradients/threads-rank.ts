/** Averages of this package over threads, and a copy of as many bytes by each of them at once. */

import { readFileSync } from 'node:fs';
import { findGroup, init } from '../../src/group/world.js';
import { samplesOf, serveThread } from '../turns/serve.js';
import { GradientPlayer } from './player.js';
import type { GradientTask } from './task.js';

await init();
const group = findGroup(null, 'bench');
const player = new GradientPlayer(group);
let copy = () => {};

serveThread<GradientTask>({
  prepare(task) {
    copy = copyOf(4 * task.lengths.reduce((sum, length) => sum + length));
    copy();
    return { copy: 0, ...player.prepare(task) };
  },
  turn(work, calls, samples) {
    if (work !== 'copy') return player.turn(work, calls, samples);
    return samplesOf(copy, calls, samples, () => group.barrier().wait());
  },
});

/** `memory.copy` of `bytes` bytes in one WebAssembly memory. */
function copyOf(bytes: number): () => void {
  const most = Math.ceil((2 * bytes) / 65536) + 1;
  const memory = new WebAssembly.Memory({ initial: most, maximum: most, shared: true });
  // Pages that nothing has written are all one page of zeros, which the cache holds.
  new Uint8Array(memory.buffer).fill(1);
  const module = new WebAssembly.Module(readFileSync('build/limits.wasm'));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const run = exports.copy as (target: number, source: number, bytes: number) => void;
  return () => run(Math.ceil(bytes / 4096) * 4096 + 4096, 0, bytes);
}
