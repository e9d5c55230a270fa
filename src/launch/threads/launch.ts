/** Starts a world of ranks from a program and gathers what they return. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ResourceLimits, Transferable } from 'node:worker_threads';
import { RankFailedError } from '../../core/errors.js';
import { Ranks, type WorldEnd } from '../world/ranks.js';
import { START_TIMEOUT } from '../world/timer.js';
import type { RankOutput } from './protocol.js';
import { type RankEvents, threadStarter } from './rank-thread.js';
import { findTsx } from './typescript.js';

export interface LaunchOptions extends RankEvents {
  /** Ranks to start; an integer of 1 or more. */
  workerNum: number;
  /** What the script finds behind `process.argv[1]`. Default: nothing. */
  args?: readonly string[];
  /**
   * Argument of the script's `main`, copied to each rank by structured clone; a function is
   * called with each rank and gives that rank's argument. Default: undefined.
   */
  data?: unknown;
  /** Where the ranks' output goes besides `onOutput`. Default: 'console', unless that is given. */
  output?: 'console' | 'ignore';
  /** Seconds that a collective may take, more than 0; Infinity: for ever. Default 600. */
  timeout?: number;
  /** Seconds until every rank must have started, more than 0; Infinity: for ever. Default 600. */
  startTimeout?: number;
  /** Limits of each rank's memory, as `Worker` takes them. Default: Node's. */
  resourceLimits?: ResourceLimits;
}

/** How a rank ended that did not fail. */
export interface RankResult<T> {
  readonly rank: number;
  /** What the script's `main` returned; undefined for a script without `main`. */
  readonly result: T;
}

/** A world that was started. */
export interface Launch<T> {
  readonly workerNum: number;
  /**
   * One entry for each rank, in rank order, when all have ended. Rejects with a RankFailedError
   * that names the first rank that failed, and has what it threw as its `cause`; with a plain
   * Error when `stop` ended the world.
   */
  readonly done: Promise<RankResult<T>[]>;
  /** Sends `message` to the `parentPort` of a rank. @throws RangeError for a rank that is not there */
  post(rank: number, message: unknown, transferList?: readonly Transferable[]): void;
  /** Ends every rank at once, whatever it does; resolves when they have ended. */
  stop(): Promise<void>;
}

/**
 * Starts `workerNum` ranks as threads, each of which runs `script`, a JavaScript or TypeScript
 * module. When it exports a function `main`, that is called with `data`, and what it returns (or
 * resolves to) is the rank's result. `init()` in the script joins the world. A rank ends when its
 * script has nothing left to do; it fails when it throws, leaves a rejection unhandled, or exits
 * with a code other than 0, and then the whole world ends.
 * @param script `file:` URL, or a path from the current folder
 * @throws TypeError for an option of the wrong type
 * @throws RangeError for a script that is not there, or an option out of range
 * @throws Error for a TypeScript script where neither Node nor tsx can run it
 * @throws DataCloneError for data that cannot be copied to a thread
 */
export function launch<T = unknown>(script: URL | string, options: LaunchOptions): Launch<T> {
  const url = locate(script);
  checkOptions(options);
  const { args = [], data, workerNum, timeout, startTimeout = START_TIMEOUT } = options;
  const output = outputOf(options);
  const startRank = threadStarter({
    ...options,
    script: url,
    program: false,
    tsx: findTsx(url),
    args,
    dataOf: typeof data === 'function' ? (rank) => data(rank) : () => data,
    outputOf: () => output,
  });
  return control(new Ranks({ size: workerNum, startRank, timeout, startTimeout }), workerNum);
}

function control<T>(ranks: Ranks, workerNum: number): Launch<T> {
  const done = ranks.end.then((end) => resultsOf<T>(end));
  return {
    workerNum,
    done,
    post(rank, message, transferList) {
      if (!Number.isInteger(rank) || rank < 0 || rank >= workerNum) {
        throw new RangeError(`post: rank must be 0 to ${workerNum - 1}, got ${String(rank)}`);
      }
      ranks.post(rank, message, transferList);
    },
    async stop() {
      // Whoever stops the world knows that it was; only those who ask for `done` need the error.
      done.catch(() => {});
      ranks.stop();
      await ranks.end;
    },
  };
}

function resultsOf<T>({ failure, stopped, results }: WorldEnd): RankResult<T>[] {
  if (stopped) throw new Error('launch: stop() ended the ranks before they were done');
  if (failure !== null) {
    const error = new RankFailedError(failure.rank, failure.text);
    if (failure.error !== undefined) error.cause = failure.error;
    throw error;
  }
  return results.map((result, rank) => ({ rank, result: result as T }));
}

function outputOf({ output, onOutput }: LaunchOptions): RankOutput {
  const report = onOutput !== undefined;
  return {
    log: null,
    report,
    console: (output ?? (report ? 'ignore' : 'console')) === 'console',
  };
}

function locate(script: URL | string): URL {
  const isUrl = script instanceof URL || (typeof script === 'string' && /^file:/.test(script));
  if (!isUrl && typeof script !== 'string') {
    throw new TypeError(`launch: script must be a URL or a path, got ${typeof script}`);
  }
  const url = isUrl ? new URL(script) : pathToFileURL(resolve(script));
  if (url.protocol !== 'file:' || !existsSync(url)) {
    throw new RangeError(
      `launch: there is no script ${url.protocol === 'file:' ? fileURLToPath(url) : url}`,
    );
  }
  return url;
}

function checkOptions({ workerNum, output, timeout, startTimeout }: LaunchOptions): void {
  if (!Number.isInteger(workerNum)) {
    throw new TypeError(`launch: workerNum must be an integer, got ${String(workerNum)}`);
  }
  if (workerNum < 1) throw new RangeError(`launch: workerNum must be 1 or more, got ${workerNum}`);
  if (output !== undefined && output !== 'console' && output !== 'ignore') {
    throw new RangeError(`launch: output must be 'console' or 'ignore', got ${String(output)}`);
  }
  for (const [name, seconds] of Object.entries({ timeout, startTimeout })) {
    if (seconds !== undefined && !(seconds > 0)) {
      throw new RangeError(`launch: ${name} must be more than 0 seconds, got ${seconds}`);
    }
  }
}
