/**
 * Ends the process when a call never returns: a thread of its own watches a count of runs that
 * must go on, since the thread that calls cannot.
 */

import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

/** Seconds in which a run must end. */
const LIMIT_S = 20;

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
  let [runs, since] = [-1, Date.now()];
  setInterval(() => {
    const now = Atomics.load(words, 0);
    if (now !== runs) [runs, since] = [now, Date.now()];
    else if (runs > 0 && Date.now() - since > 1000 * LIMIT_S) {
      // The console belongs to the thread that hangs.
      writeSync(1, `${names[Atomics.load(words, 1)]} has not returned for ${LIMIT_S} s\n`);
      process.kill(process.pid, 'SIGKILL');
    }
  }, 500);
}

if (!isMainThread) guard(workerData as Watched);
