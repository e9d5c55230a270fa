/** Starts a world of ranks from a program and gathers their results. */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { show, showList, showText } from '../../core/show.js';
import { runtimeProblem } from '../common/runtime.js';
import {
  checkWorldOptions,
  holdWorld,
  type RunningWorld,
  type WorldOptions,
} from '../world/launch.js';
import { Ranks } from '../world/ranks.js';
import { START_TIMEOUT } from '../world/signals.js';
import type { RankEvents, ResourceLimits } from './events.js';
import { type RankThreadOptions, type ThreadEvents, threadStarter } from './rank-thread.js';
import { findTsx } from './typescript.js';

/** An error in a callback ends the world, and `done` rejects with it. */
export interface LaunchOptions extends WorldOptions, RankEvents {
  /** Arguments of the script: `process.argv` from 2 on. Default: none. */
  args?: readonly string[];
  /**
   * Argument of the script's `main`, copied to each rank by structured clone; a function is
   * called with each rank and gives that rank's argument. Default: undefined.
   */
  data?: unknown;
  /** Sink of the output besides `onOutput`. Default: 'console', unless `onOutput` is given. */
  output?: 'console' | 'ignore';
  /** Limits of each rank's memory. Default: Node's. */
  resourceLimits?: ResourceLimits;
}

/**
 * A world that was started; messages go to the `parentPort` of a rank. Ranks hear of a `stop` with
 * a grace when they listen to SIGTERM or 'exit' on `process`.
 */
export type Launch<T> = RunningWorld<T, object>;

/**
 * Starts `workerNum` ranks as threads, each of which runs `script`, a JavaScript or TypeScript
 * module. If the script exports a function `main`, it is called with `data`, and its result (or the
 * value it resolves to) is the rank's result. `init()` in the script joins the world. A rank ends
 * when its script has nothing left to do. It fails when it throws, leaves a rejection unhandled, or
 * exits with a code other than 0, and then the whole world ends.
 * @param script `file:` URL, or a path from the current folder
 * @throws TypeError for an option of the wrong type
 * @throws RangeError for a script that is not there, or an option out of range
 * @throws Error for a TypeScript script when neither Node nor tsx can run it
 * @throws DataCloneError for data that cannot be copied to a thread
 */
export function launch<T = unknown>(script: URL | string, options: LaunchOptions): Launch<T> {
  const url = locate(script);
  checkOptions(options);
  const { args = [], data, workerNum, timeout, startTimeout = START_TIMEOUT, grace } = options;
  const thrown: unknown[] = [];
  const stopWith = (error: unknown) => {
    thrown.push(error);
    ranks.stop();
  };
  const startRank = threadStarter({
    ...eventsOf(options, stopWith),
    ...{ script: url, program: false, tsx: findTsx(url), args, size: workerNum },
    dataOf: typeof data === 'function' ? (rank) => data(rank) : () => data,
    resourceLimits: options.resourceLimits,
  });
  const ranks = new Ranks({ size: workerNum, startRank, timeout, startTimeout, grace });
  return holdWorld('launch', ranks, workerNum, thrown);
}

/** The callbacks, guarded. */
function eventsOf(options: LaunchOptions, stopWith: (error: unknown) => void): ThreadEvents {
  const { onMessage, onExit } = options;
  const guarded = <Args extends unknown[]>(callback: ((...args: Args) => void) | undefined) =>
    callback &&
    ((...args: Args) => {
      try {
        callback(...args);
      } catch (error) {
        stopWith(error);
      }
      return undefined;
    });
  return {
    onMessage: guarded(onMessage),
    onExit: guarded(onExit),
    onBytes: guarded(outputOf(options)),
  };
}

function outputOf({ output, onOutput }: LaunchOptions): RankThreadOptions['onBytes'] {
  const shown = (output ?? (onOutput ? 'ignore' : 'console')) === 'console';
  if (!shown && onOutput === undefined) return undefined;
  const decoders = new Map<string, StringDecoder>();
  return (rank, stream, bytes) => {
    if (shown) process[stream].write(bytes);
    if (onOutput === undefined) return undefined;
    const name = `${stream} ${rank}`;
    const decoder = decoders.get(name) ?? new StringDecoder();
    decoders.set(name, decoder);
    onOutput(decoder.write(Buffer.from(bytes)), rank, stream);
    return undefined;
  };
}

function locate(script: URL | string): URL {
  const isUrl = script instanceof URL || (typeof script === 'string' && /^file:/.test(script));
  if (!isUrl && typeof script !== 'string') {
    throw new TypeError(`launch: script must be a URL or a path, got ${show(script)}`);
  }
  const url = isUrl ? urlOf(script) : pathToFileURL(resolve(script));
  if (url !== null && isFile(url)) return url;
  const path = url?.protocol === 'file:' && url.host === '' ? fileURLToPath(url) : String(script);
  throw new RangeError(`launch: there is no script ${showText(path, MOST_PATH)}`);
}

/** Most characters of a path in an error. */
const MOST_PATH = 1000;

function urlOf(script: URL | string): URL | null {
  try {
    return new URL(script);
  } catch {
    return null;
  }
}

function isFile(url: URL): boolean {
  try {
    return statSync(url).isFile();
  } catch {
    return false;
  }
}

function checkOptions(options: LaunchOptions): void {
  checkWorldOptions('launch', options, {
    values: ['args', 'data', 'output', 'resourceLimits'],
    callbacks: ['onMessage', 'onOutput', 'onExit'],
  });
  const problem = runtimeProblem(process.versions);
  if (problem !== null) throw new Error(`launch: ${problem}`);
  const { args = [], output, resourceLimits = {} } = options;
  if (typeof resourceLimits !== 'object' || resourceLimits === null) {
    throw new TypeError(`launch: resourceLimits must be an object, got ${show(resourceLimits)}`);
  }
  if (!Array.isArray(args) || args.some((arg) => typeof arg !== 'string')) {
    throw new TypeError(`launch: args must be an array of strings, got ${showList(args)}`);
  }
  if (output !== undefined && output !== 'console' && output !== 'ignore') {
    throw new RangeError(`launch: output must be 'console' or 'ignore', got ${show(output)}`);
  }
}
