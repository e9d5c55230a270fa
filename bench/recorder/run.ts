/**
 * What the flight recorder costs: all-reduces of two threads by the package as it is built, and by
 * a copy whose recorder does nothing, in turns.
 *
 *     npm run build && npx tsc -p tsconfig.bench.json && node build/bench/bench/recorder/run.js
 */

import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createThreadWorld } from '../../src/index.js';

/** Float64 numbers of an all-reduce: the moments of 64 channels. */
const LENGTH = 129;
const TURNS = 300;
const CALLS = 5000;
const DIST = fileURLToPath(new URL('../../../../dist', import.meta.url));
const NO_RECORDER = `
  const call = {};
  export const RECORDER_VARIABLE = 'SYNCBN_RECORDER';
  export const recorder = {
    identify() {}, start: () => call, wait() {}, arrive() {}, end() {}, look() {}, dump() {},
  };
`;

function startWorld(dist: string): Promise<Worker[]> {
  const entry = pathToFileURL(join(dist, 'index.js')).href;
  const workers = createThreadWorld(2).map(
    (world) =>
      new Worker(new URL('./rank.js', import.meta.url), {
        workerData: { entry, world, length: LENGTH },
      }),
  );
  return Promise.all(workers.map((worker) => once(worker, 'message').then(() => worker)));
}

/** Microseconds of one call on the slower rank. */
async function turn(workers: readonly Worker[]): Promise<number> {
  const times = workers.map((worker) => once(worker, 'message'));
  for (const worker of workers) worker.postMessage(CALLS);
  return 1000 * Math.max(...(await Promise.all(times)).map(([time]) => time));
}

const folder = mkdtempSync(join(tmpdir(), 'syncbn-recorder-'));
try {
  const copy = join(folder, 'dist');
  cpSync(DIST, copy, { recursive: true });
  writeFileSync(join(copy, 'group/rounds/recorder.js'), NO_RECORDER);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const worlds = [await startWorld(DIST), await startWorld(copy)];
  const times: number[][] = [[], []];
  for (let i = 0; i < TURNS; i++) {
    for (const which of i % 2 === 0 ? [0, 1] : [1, 0]) times[which].push(await turn(worlds[which]));
  }
  const sorted = times.map((list) => list.sort((a, b) => a - b));
  for (const [name, share] of [
    ['median', 0.5],
    ['lowest tenth', 0.1],
  ] as const) {
    const [on, off] = sorted.map((list) => list[Math.floor(share * list.length)]);
    const percent = (100 * (on / off - 1)).toFixed(1);
    console.log(`${name}: ${on.toFixed(3)} us with it, ${off.toFixed(3)} without: ${percent} %`);
  }
  await Promise.all(worlds.flat().map((worker) => worker.terminate()));
} finally {
  rmSync(folder, { recursive: true });
}
