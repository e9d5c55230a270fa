/** Starts a world of ranks from a program and gathers what they return. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  checkWorldOptions,
  holdWorld,
  type RunningWorld,
  type WorldOptions,
} from '../world/launch.js';
import { Ranks } from '../world/ranks.js';
import { START_TIMEOUT } from '../world/timer.js';
import type { RankEvents, ResourceLimits } from './events.js';
import type { RankOutput } from './protocol.js';
import { threadStarter } from './rank-thread.js';
import { findTsx } from './typescript.js';

export interface LaunchOptions extends WorldOptions, RankEvents {
  /** What the script finds behind `process.argv[1]`. Default: nothing. */
  args?: readonly string[];
  /**
   * Argument of the script's `main`, copied to each rank by structured clone; a function is
   * called with each rank and gives that rank's argument. Default: undefined.
   */
  data?: unknown;
  /** Where the ranks' output goes besides `onOutput`. Default: 'console', unless that is given. */
  output?: 'console' | 'ignore';
  /** Limits of each rank's memory. Default: Node's. */
  resourceLimits?: ResourceLimits;
}

/** A world that was started; messages go to the `parentPort` of a rank. */
export type Launch<T> = RunningWorld<T, object>;

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
  const ranks = new Ranks({ size: workerNum, startRank, timeout, startTimeout });
  return holdWorld('launch', ranks, workerNum);
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

function checkOptions(options: LaunchOptions): void {
  checkWorldOptions('launch', options);
  const { output } = options;
  if (output !== undefined && output !== 'console' && output !== 'ignore') {
    throw new RangeError(`launch: output must be 'console' or 'ignore', got ${String(output)}`);
  }
}
