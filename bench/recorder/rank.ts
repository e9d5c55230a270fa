/** A rank of a world of two threads that sums arrays on request, and tells how long it took. */

import { parentPort, workerData } from 'node:worker_threads';
import type * as Package from '../../src/index.js';

const { entry, world, length } = workerData;
const { init, getGroup } = (await import(entry)) as typeof Package;
await init({ world });
const group = getGroup();
const data = new Float64Array(length).fill(0.5);
const out = data.slice();

parentPort!.on('message', (calls: number) => {
  const start = performance.now();
  for (let i = 0; i < calls; i++) group.allReduce(data, { out }).wait();
  parentPort!.postMessage((performance.now() - start) / calls);
});
parentPort!.postMessage(0);
