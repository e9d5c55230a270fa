/**
 * Ends the process when a call never returns: a thread of its own watches a count of runs that
 * must go on, since the thread that calls cannot.
 */

import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

/** Seconds of the processor that a run may take: others may have the cores in between. */
const BUSY_S = 20;
/** Seconds that it may take in all, when it waits. */
const LIMIT_S = 180;

interface Watched {
  /** The count of runs, and the place of the call under test. */
  readonly words: Int32Array;
  readonly names: readonly string[];
}

/** Watches calls called `names`. @returns what is told each run of the call at a place */
export function watch(names: readonly string[]): (place: number) => void {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const watched: Watched = { words, names };
  new Worker(fileURLToPath(import.meta.url), { workerData: watched }).unref();
  return (place) => {
    Atomics.store(words, 1, place);
    Atomics.add(words, 0, 1);
  };
}

function guard({ words, names }: Watched): void {
  let runs = -1;
  let since = { wall: Date.now(), busy: process.cpuUsage() };
  setInterval(() => {
    const now = Atomics.load(words, 0);
    if (now !== runs) {
      runs = now;
      since = { wall: Date.now(), busy: process.cpuUsage() };
      return;
    }
    const wall = (Date.now() - since.wall) / 1000;
    const { user, system } = process.cpuUsage(since.busy);
    const busy = (user + system) / 1e6;
    if (runs === 0 || (busy < BUSY_S && wall < LIMIT_S)) return;
    const place = names[Atomics.load(words, 1)];
    // The console belongs to the thread that hangs.
    writeSync(1, `${place} has not returned for ${wall.toFixed()} s, ${busy.toFixed()} of work\n`);
    process.kill(process.pid, 'SIGKILL');
  }, 500);
}

if (!isMainThread) guard(workerData as Watched);
