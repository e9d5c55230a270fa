/** One process of run.ts: two threads, in which all builds take turns. */

import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type * as Package from '../../src/index.js';

/** Microseconds of an all-reduce by each build: the slower rank's, a low tenth of all turns. */
export interface Turns {
  readonly length: number;
  readonly times: readonly number[];
}

/** Milliseconds of a turn. */
const TURN_MS = 4;
const TRIAL_CALLS = 3000;
const WARM_UP = 4;

const { order, lengths, turns } = JSON.parse(process.argv[2]) as {
  order: readonly string[];
  lengths: readonly number[];
  turns: number;
};
const entries = order.map((dist) => pathToFileURL(join(dist, 'index.js')).href);
const worlds: unknown[][] = [];
for (const entry of entries) {
  worlds.push(((await import(entry)) as typeof Package).createThreadWorld(2));
}
const workers = [0, 1].map(
  (rank) =>
    new Worker(new URL('./rank.js', import.meta.url), {
      workerData: { entries, worlds: worlds.map((world) => world[rank]) },
    }),
);
await Promise.all(workers.map((worker) => once(worker, 'message')));
const played: Turns[] = [];
for (const length of lengths) played.push({ length, times: await timesOf(length) });
await Promise.all(workers.map((worker) => worker.terminate()));
console.log(JSON.stringify(played));

async function timesOf(length: number): Promise<number[]> {
  const calls = entries.map(() => TRIAL_CALLS);
  const times: number[][] = entries.map(() => []);
  for (let round = -WARM_UP; round < turns; round++) {
    const builds = [...entries.keys()];
    if (round % 2 !== 0) builds.reverse();
    for (const build of builds) {
      const time = await turn({ build, length, calls: calls[build] });
      if (round < 0) calls[build] = Math.max(200, Math.round((TURN_MS * 1000) / time));
      else times[build].push(time);
    }
  }
  return times.map((list) => list.sort((a, b) => a - b)[Math.floor(list.length / 10)]);
}

async function turn(task: object): Promise<number> {
  const replies = workers.map((worker) => once(worker, 'message'));
  for (const worker of workers) worker.postMessage(task);
  return Math.max(...(await Promise.all(replies)).map(([time]) => time));
}
