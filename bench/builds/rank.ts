/** A rank that does works by one build or another on request, and tells how long a call took. */

import { parentPort, workerData } from 'node:worker_threads';
import type * as Package from '../../src/index.js';
import { type ShapeName, shapeNamed } from '../shapes.js';

/** Small passes before the first of a build: the engine compiles its JavaScript until then. */
const COMPILING = 4000;
/** Most bytes that arrays are moved by, so that each process and build has other places. */
const MOST_SHIFT = 1 << 16;

const { entries, worlds } = workerData;
const packages: (typeof Package)[] = [];
for (const [build, entry] of entries.entries()) {
  // Each build has a world of its own.
  const syncbn = (await import(entry)) as typeof Package;
  await syncbn.init({ world: worlds[build] });
  packages.push(syncbn);
}
const made = new Map<string, () => void>();
const compiled = new Set<typeof Package>();

/** @param work "sum LENGTH", "gather LENGTH", "forward SHAPE" or "training SHAPE" */
function make(syncbn: typeof Package, work: string): () => void {
  const [kind, what] = work.split(' ');
  if (kind === 'sum' || kind === 'gather') {
    const group = syncbn.getGroup?.() ?? syncbn.createGroup('all', [0, 1]);
    const data = new Float64Array(Number(what)).fill(0.5);
    const out = new Float64Array(kind === 'sum' ? data.length : data.length * group.size);
    if (kind === 'sum') return () => void group.allReduce(data, { out }).wait();
    return () => void group.allGather(data, { out }).wait();
  }
  if (!compiled.has(syncbn)) {
    compiled.add(syncbn);
    const train = make(syncbn, 'training L');
    for (let i = 0; i < COMPILING; i++) train();
  }
  const shape = shapeNamed(what as ShapeName, false);
  const tensor = () => {
    syncbn.allocateTensor([1 + Math.floor((Math.random() * MOST_SHIFT) / 4)]);
    return syncbn.allocateTensor(shape);
  };
  const [x, y, dy, dx] = [tensor(), tensor(), tensor(), tensor()];
  for (const { data } of [x, dy]) for (let i = 0; i < data.length; i++) data[i] = Math.sin(i);
  const layer = new syncbn.SyncBatchNorm(shape[1], { name: work });
  if (kind === 'forward') return () => void layer.forward(x, { out: y });
  return () => {
    layer.forward(x, { out: y });
    layer.backward(dy, { out: dx });
  };
}

parentPort!.on('message', ({ build, work, looks, stride }) => {
  const key = `${build} ${work}`;
  const run = made.get(key) ?? make(packages[build], work);
  made.set(key, run);
  const times: number[] = [];
  for (let i = 0; i < looks; i++) {
    const start = performance.now();
    for (let j = 0; j < stride; j++) run();
    times.push((1000 * (performance.now() - start)) / stride);
  }
  parentPort!.postMessage(times.sort((a, b) => a - b)[Math.floor(times.length / 3)]);
});
parentPort!.postMessage(0);
