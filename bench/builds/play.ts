/** One process of run.ts: a thread for each rank, in which all builds take turns. */

import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type * as Package from '../../src/index.js';
import { spreadOf } from '../statistics.js';

/** Microseconds of one call by each build: the slower rank's, a low tenth of all turns. */
export interface Turns {
  readonly work: string;
  readonly times: readonly number[];
}

/** Milliseconds of a turn, and its fewest looks: a build's first calls find nothing in the caches. */
const TURN_MS = 4;
const LEAST_LOOKS = 150;
/** Milliseconds of a turn, at most: calls that take milliseconds find nothing there anyway. */
const MOST_TURN_MS = 100;
/** Microseconds between two looks at the clock, about. */
const LOOK = 25;
const WARM_UP = 4;

const { order, ranks, works, turns } = JSON.parse(process.argv[2]) as {
  order: readonly string[];
  ranks: number;
  works: readonly string[];
  turns: number;
};
const entries = order.map((dist) => pathToFileURL(join(dist, 'index.js')).href);
const worlds: unknown[][] = [];
for (const entry of entries) {
  worlds.push(((await import(entry)) as typeof Package).createThreadWorld(ranks));
}
const workers = Array.from(
  { length: ranks },
  (_, rank) =>
    new Worker(new URL('./rank.js', import.meta.url), {
      workerData: { entries, worlds: worlds.map((world) => world[rank]) },
    }),
);
await Promise.all(workers.map((worker) => once(worker, 'message')));
const played: Turns[] = [];
for (const work of works) played.push({ work, times: await timesOf(work) });
await Promise.all(workers.map((worker) => worker.terminate()));
console.log(JSON.stringify(played));

async function timesOf(work: string): Promise<number[]> {
  const plans = entries.map(() => ({ looks: 100, stride: 1 }));
  const times: number[][] = entries.map(() => []);
  for (let round = -WARM_UP; round < turns; round++) {
    const builds = [...entries.keys()];
    if (round % 2 !== 0) builds.reverse();
    for (const build of builds) {
      const time = await turn({ build, work, ...plans[build] });
      if (round >= 0) times[build].push(time);
      const stride = Math.max(1, Math.round(LOOK / time));
      const most = Math.ceil((MOST_TURN_MS * 1000) / time);
      const least = Math.min(LEAST_LOOKS, most);
      const looks = Math.max(least, Math.round((TURN_MS * 1000) / time / stride));
      if (round < 0) plans[build] = { looks, stride };
    }
  }
  return times.map((list) => spreadOf(list).low);
}

async function turn(task: object): Promise<number> {
  const replies = workers.map((worker) => once(worker, 'message'));
  for (const worker of workers) worker.postMessage(task);
  return Math.max(...(await Promise.all(replies)).map(([time]) => time));
}
