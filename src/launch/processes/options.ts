/** Options of a launch of processes, with their defaults and checks. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkOptionNames } from '../../core/options.js';
import { show, showText } from '../../core/show.js';
import { DEFAULT_GRACE, START_TIMEOUT } from '../world/signals.js';
import { checkSecret } from './secret.js';

export const MASTER_PORT = 8118;

export interface ProcessLaunchOptions {
  /** Program of every rank: a file for node. */
  script: string | URL;
  args?: readonly string[];
  /** Options for node itself. Default: none. */
  execArgv?: readonly string[];
  /** Ranks in all. */
  workerNum: number;
  /** Ranks on this host. Default: all. */
  localWorkerNum?: number;
  /** Meeting point of the hosts: an address of the host with node rank 0. Default 127.0.0.1. */
  masterAddr?: string;
  /** Default 8118. */
  masterPort?: number;
  /** This host's place; 0 waits for the others. Default -1: the address's own host is first. */
  nodeRank?: number;
  /** Shared by the hosts, 16 characters or more; needed for more than one host. */
  secret?: string | undefined;
  /**
   * The same on all hosts of a launch, so that two launches never mix. Default: the script's name
   * and its arguments, which must then be the same on all hosts.
   */
  jobName?: string;
  /** Seconds to form the world. Default 600; negative: forever. */
  clusterTimeOut?: number;
  /** Seconds that ranks have between the signal that asks them to end and their end. Default 5. */
  grace?: number;
  /** Variables of the ranks, over this process's own; undefined removes a variable. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Words before node in the command of each rank here, by its number on this host. */
  prefix?: (localRank: number) => readonly string[];
  /**
   * Called with a rank's output. If it returns a promise, the rank's output is read again when the
   * promise resolves. Default: passed on to this process's own output.
   */
  onOutput?: (
    rank: number,
    stream: 'stdout' | 'stderr',
    bytes: Uint8Array,
  ) => Promise<void> | undefined | void;
  /** Called when a rank has started on this host. */
  onStart?: (rank: number, pid: number) => void;
  /** Called about connections that were refused, and the like. */
  onNote?: (text: string) => void;
  /** Ends the launch on all hosts. Its reason may be 'SIGINT' or 'SIGHUP', for the ranks here. */
  signal?: AbortSignal | undefined;
}

export type LaunchPlan = Required<Omit<ProcessLaunchOptions, 'script' | 'secret' | 'signal'>> & {
  readonly script: string;
  readonly secret: string | null;
  readonly signal: AbortSignal | null;
  /** Called with a rank's error, before it is printed. `because`: only since another failed. */
  readonly onThrown: (rank: number, text: string, because: boolean) => void;
  /** Called when a rank's process on this host has ended. */
  readonly onEnd: (rank: number) => void;
};

const OPTIONS = [
  ...['script', 'args', 'execArgv', 'workerNum', 'localWorkerNum', 'masterAddr', 'masterPort'],
  ...['nodeRank', 'secret', 'jobName', 'clusterTimeOut', 'grace', 'env', 'prefix', 'onOutput'],
  ...['onStart', 'onNote', 'signal'],
];
/** Characters of a path in an error. */
const MOST_SHOWN = 500;

/** @throws TypeError or RangeError that names the option and the value */
export function planOf(options: ProcessLaunchOptions): LaunchPlan {
  checkOptionNames(options, OPTIONS, 'launch');
  const { workerNum, localWorkerNum = workerNum, secret, signal } = options;
  integer('workerNum', workerNum, 1, Number.MAX_SAFE_INTEGER);
  integer('localWorkerNum', localWorkerNum, 1, workerNum);
  const plan: LaunchPlan = {
    script: locate(options.script),
    args: words('args', options.args ?? []),
    execArgv: words('execArgv', options.execArgv ?? []),
    workerNum,
    localWorkerNum,
    masterAddr: text('masterAddr', options.masterAddr ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1'),
    masterPort: integer('masterPort', options.masterPort ?? MASTER_PORT, 0, 65535),
    nodeRank: integer('nodeRank', options.nodeRank ?? -1, -1, workerNum - 1),
    secret: secret ?? null,
    jobName: text('jobName', options.jobName ?? ''),
    clusterTimeOut: seconds('clusterTimeOut', options.clusterTimeOut ?? START_TIMEOUT),
    grace: seconds('grace', options.grace ?? DEFAULT_GRACE),
    env: environment(options.env ?? {}),
    prefix: callback('prefix', options.prefix ?? (() => [])),
    onOutput: callback(
      'onOutput',
      options.onOutput ?? ((_, stream, bytes) => void process[stream].write(bytes)),
    ),
    onStart: callback('onStart', options.onStart ?? (() => {})),
    onNote: callback('onNote', options.onNote ?? (() => {})),
    onThrown: () => {},
    onEnd: () => {},
    signal: signal ?? null,
  };
  if (plan.signal !== null && !(plan.signal instanceof AbortSignal)) {
    throw wrongType('signal', 'an AbortSignal', signal);
  }
  if (localWorkerNum < workerNum) checkSecret(secret);
  return plan;
}

function locate(script: unknown): string {
  if (typeof script !== 'string' && !(script instanceof URL)) {
    throw wrongType('script', 'a path or a file: URL', script);
  }
  const isFile = typeof script === 'string' || script.protocol === 'file:';
  const path = isFile && script instanceof URL ? fileURLToPath(script) : String(script);
  if (!isFile || !existsSync(path)) {
    throw new RangeError(`launch: there is no script ${showText(path, MOST_SHOWN)}`);
  }
  return path;
}

function wrongType(name: string, rule: string, value: unknown): TypeError {
  return new TypeError(`launch: ${name} must be ${rule}, got ${shown(value)}`);
}

/** Writes objects as JSON if that is possible. */
function shown(value: unknown): string {
  if (typeof value === 'string') return showText(value);
  if (typeof value !== 'object' || value === null) return show(value);
  try {
    return showText(JSON.stringify(value));
  } catch {
    return show(value);
  }
}

/** True for a word that a process can be given: the system ends it at a NUL. */
const isWord = (word: unknown) => typeof word === 'string' && !word.includes('\0');

function words(name: string, list: readonly string[]): readonly string[] {
  if (Array.isArray(list) && list.every(isWord)) return list;
  throw wrongType(name, 'an array of strings without NUL', list);
}

function environment(env: LaunchPlan['env']): LaunchPlan['env'] {
  const known = typeof env === 'object' && env !== null;
  const fits = ([name, value]: [string, unknown]) =>
    isWord(name) && !name.includes('=') && (value === undefined || isWord(value));
  if (known && Object.entries(env).every(fits)) return env;
  throw wrongType('env', 'an object of strings', env);
}

function text(name: string, value: string): string {
  if (typeof value === 'string') return value;
  throw wrongType(name, 'a string', value);
}

function callback<T>(name: string, value: T): T {
  if (typeof value === 'function') return value;
  throw wrongType(name, 'a function', value);
}

function seconds(name: string, value: number): number {
  if (typeof value !== 'number') throw wrongType(name, 'a number of seconds', value);
  if (!Number.isNaN(value)) return value;
  throw new RangeError(`launch: ${name} must be a number of seconds, got NaN`);
}

function integer(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value)) throw wrongType(name, 'an integer', value);
  if (value >= least && value <= most) return value;
  throw new RangeError(`launch: ${name} must be ${least} to ${most}, got ${show(value)}`);
}
