/** Starts a world of Web Workers from a page and gathers their results. */

import { show } from '../core/show.js';
import { requireSharedMemory } from '../group/thread/isolation.js';
import { isInitialized } from '../group/world.js';
import {
  checkWorldOptions,
  holdWorld,
  type RunningWorld,
  type WorldOptions,
} from '../launch/world/launch.js';
import type { StartRank } from '../launch/world/rank.js';
import { Ranks } from '../launch/world/ranks.js';
import { START_TIMEOUT } from '../launch/world/signals.js';
import { HereRank } from './here-rank.js';
import { type MakeWorker, type WorkerEvents, workerStarter } from './worker-rank.js';

export interface WorkerLaunchOptions extends WorldOptions, WorkerEvents {
  /**
   * Argument of each rank's `main`, copied to it by structured clone; a function is called with
   * each rank and gives that rank's argument. Default: undefined.
   */
  data?: unknown;
  /**
   * `main` of rank 0, which then runs on this thread, with its argument as it is, and has no
   * worker. A page's main thread must not block, so it awaits every collective. Default: every rank
   * has a worker.
   */
  mainHere?: (data: never) => unknown;
}

/** A world of workers; messages go to the `message` listeners of a rank's worker. */
export type WorkerLaunch<T> = RunningWorld<T, Transferable>;

/**
 * Starts `workerNum` ranks, each in a worker whose script calls `runRank`. A rank ends when its
 * `main` has returned or resolved, and then its worker is terminated. A rank fails if its script
 * cannot be loaded, throws or leaves a rejection unhandled, or if its worker ends before `main`
 * does; then the whole world ends.
 * @param makeWorker called with each rank; the `new Worker(new URL(...))` must stand in the
 *   caller's own code, since bundlers find a worker's script by it
 * @throws TypeError for an option of the wrong type
 * @throws RangeError for an option out of range
 * @throws Error on a page that is not cross-origin isolated, with the headers that it needs
 * @throws DataCloneError for data that cannot be copied to a worker
 */
export function launchWorkers<T = unknown>(
  makeWorker: MakeWorker,
  options: WorkerLaunchOptions,
): WorkerLaunch<T> {
  check(makeWorker, options);
  const { workerNum, data, timeout, startTimeout = START_TIMEOUT, mainHere } = options;
  const dataOf = typeof data === 'function' ? (rank: number) => data(rank) : () => data;
  const inWorker = workerStarter(makeWorker, dataOf, options);
  const startRank: StartRank = (handle, listener) => {
    if (handle.rank > 0 || mainHere === undefined) return inWorker(handle, listener);
    return new HereRank(handle, () => mainHere(dataOf(0) as never), listener);
  };
  const ranks = new Ranks({ size: workerNum, startRank, timeout, startTimeout });
  return holdWorld('launchWorkers', ranks, workerNum);
}

function check(makeWorker: unknown, options: WorkerLaunchOptions): void {
  if (typeof makeWorker !== 'function') {
    throw new TypeError(
      `launchWorkers: expected a function that makes a rank's worker, got ${show(makeWorker)}`,
    );
  }
  checkWorldOptions('launchWorkers', options, {
    values: ['data'],
    callbacks: ['mainHere', 'onMessage'],
  });
  const { mainHere } = options;
  if (mainHere !== undefined && isInitialized()) {
    throw new Error('launchWorkers: this thread is in a world already; call release() first');
  }
  requireSharedMemory('launchWorkers');
  if (typeof navigator === 'undefined' || navigator.locks === undefined) {
    throw new Error('launchWorkers: this browser has no Web Locks, by which a worker is watched');
  }
}
