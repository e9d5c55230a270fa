/** A program's hold on a world that it started, on any kind of ranks. */

import { checkInteger, checkType } from '../../core/checks.js';
import { RankFailedError } from '../../core/errors.js';
import { checkOptionNames } from '../../core/options.js';
import { show } from '../../core/show.js';
import type { Ranks, WorldEnd } from './ranks.js';

/** The end of a rank that did not fail. */
export interface RankResult<T> {
  readonly rank: number;
  /** Value that the rank's `main` returned; undefined for a script without `main`. */
  readonly result: T;
}

/** A world that was started. `Transfer`: objects that a message may transfer instead of copying. */
export interface RunningWorld<T, Transfer> {
  readonly workerNum: number;
  /**
   * One entry for each rank, in rank order, when all have ended. Rejects with a RankFailedError
   * that names the first rank that failed and has the rank's error as its `cause`; with the error
   * of a callback of the launcher; with a plain Error when `stop` ended the world.
   */
  readonly done: Promise<RankResult<T>[]>;
  /**
   * Sends `message` to the script of a rank.
   * @throws RangeError for a rank that does not exist
   */
  post(rank: number, message: unknown, transferList?: readonly Transfer[]): void;
  /**
   * Ends every rank, even one that is blocked; resolves when they have ended. With `grace`, ranks
   * that can hear it are asked to end first, and have so many seconds to save their work.
   * @param options `grace`: default 0
   */
  stop(options?: { grace?: number }): Promise<void>;
}

/** Numbers that every launcher takes. */
export interface WorldOptions {
  /** Ranks to start; an integer of 1 or more. */
  workerNum: number;
  /** Seconds that a collective may take, more than 0; Infinity: forever. Default 600. */
  timeout?: number;
  /** Seconds until every rank must have started, more than 0; Infinity: forever. Default 600. */
  startTimeout?: number;
  /**
   * Seconds that the other ranks have, once one has failed, between the request to end and their
   * end. Default 5.
   */
  grace?: number;
}

/** Most ranks of a world of threads or workers: far more than any machine starts. */
const MOST_WORKERS = 65_536;

/**
 * @param own names of the launcher's own options, and of its callbacks
 * @throws TypeError for unknown options, and values of a wrong type
 * @throws RangeError for a number out of range
 */
export function checkWorldOptions(
  caller: string,
  options: WorldOptions,
  own: { readonly values: readonly string[]; readonly callbacks: readonly string[] },
): void {
  const numbers = ['workerNum', 'timeout', 'startTimeout', 'grace'];
  checkOptionNames(options, [...numbers, ...own.values, ...own.callbacks], caller);
  for (const name of own.callbacks) {
    const callback = (options as unknown as Record<string, unknown>)[name];
    if (callback !== undefined) checkType(callback, 'function', `${caller}: ${name}`);
  }
  const { workerNum, timeout, startTimeout, grace } = options;
  checkInteger(workerNum, 1, `${caller}: workerNum`);
  if (workerNum > MOST_WORKERS) {
    throw new RangeError(`${caller}: workerNum must be ${MOST_WORKERS} or less, got ${workerNum}`);
  }
  for (const [name, seconds] of Object.entries({ grace, timeout, startTimeout })) {
    if (seconds === undefined) continue;
    if (typeof seconds !== 'number') {
      throw new TypeError(`${caller}: ${name} must be a number of seconds, got ${show(seconds)}`);
    }
    if (seconds > 0 || (seconds === 0 && name === 'grace')) continue;
    const rule = name === 'grace' ? '0 or more' : 'more than 0';
    throw new RangeError(`${caller}: ${name} must be ${rule} seconds, got ${seconds}`);
  }
}

/**
 * Makes the caller's hold on `ranks`, of which there are `workerNum`.
 * @param thrown errors of the caller's callbacks, complete when the ranks have ended
 */
export function holdWorld<T, Transfer>(
  caller: string,
  ranks: Ranks,
  workerNum: number,
  thrown: readonly unknown[] = [],
): RunningWorld<T, Transfer> {
  const done = ranks.end.then((end) => {
    if (thrown.length > 0) throw thrown[0];
    return resultsOf<T>(caller, end);
  });
  return {
    workerNum,
    done,
    post(rank, message, transferList) {
      if (!Number.isInteger(rank) || rank < 0 || rank >= workerNum) {
        throw new RangeError(`post: rank must be 0 to ${workerNum - 1}, got ${show(rank)}`);
      }
      ranks.post(rank, message, transferList);
    },
    async stop({ grace = 0 } = {}) {
      if (!(grace >= 0)) {
        throw new RangeError(`stop: grace must be 0 or more seconds, got ${grace}`);
      }
      // A program that stops the world knows it; only readers of `done` need the error.
      done.catch(() => {});
      if (grace > 0) ranks.interrupt('SIGTERM', grace);
      else ranks.stop();
      await ranks.end;
    },
  };
}

function resultsOf<T>(caller: string, { failure, stopped, results }: WorldEnd): RankResult<T>[] {
  if (stopped) throw new Error(`${caller}: stop() ended the ranks before they were done`);
  if (failure !== null) {
    const error = new RankFailedError(failure.rank, failure.text);
    if (failure.error !== undefined) error.cause = failure.error;
    throw error;
  }
  return results.map((result, rank) => ({ rank, result: result as T }));
}
