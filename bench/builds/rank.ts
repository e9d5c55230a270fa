/** A rank that sums arrays by one build or another on request, and tells how long it took. */

import { parentPort, workerData } from 'node:worker_threads';
import type * as Package from '../../src/index.js';

/** Calls between two looks at the clock. */
const STRIDE = 25;

const { entries, worlds } = workerData;
const groups: Package.ProcessGroup[] = [];
for (const [build, entry] of entries.entries()) {
  // Each build has a world of its own.
  const syncbn = (await import(entry)) as typeof Package;
  await syncbn.init({ world: worlds[build] });
  groups.push(syncbn.getGroup?.() ?? syncbn.createGroup('all', [0, 1]));
}

parentPort!.on('message', ({ build, length, calls }) => {
  const group = groups[build];
  const data = new Float64Array(length).fill(0.5);
  const out = data.slice();
  const times: number[] = [];
  for (let i = 0; i < calls; i += STRIDE) {
    const start = performance.now();
    for (let j = 0; j < STRIDE; j++) group.allReduce(data, { out }).wait();
    times.push((1000 * (performance.now() - start)) / STRIDE);
  }
  parentPort!.postMessage(times.sort((a, b) => a - b)[Math.floor(times.length / 3)]);
});
parentPort!.postMessage(0);
