/** What a launch of processes is told, with its defaults, and what is wrong with it. */

import { START_TIMEOUT } from '../world/timer.js';
import { checkSecret } from './secret.js';

export interface ProcessLaunchOptions {
  /** Program of every rank: a file for node. */
  script: string;
  args?: readonly string[];
  /** Options for node itself. Default: none. */
  execArgv?: readonly string[];
  /** Ranks in all. */
  workerNum: number;
  /** Ranks on this host. Default: all. */
  localWorkerNum?: number;
  /** Where the hosts meet: an address of the host with node rank 0. Default 127.0.0.1. */
  masterAddr?: string;
  /** Default 8118. */
  masterPort?: number;
  /** This host's place; 0 waits for the others. Default -1: whoever has the address is first. */
  nodeRank?: number;
  /** What the hosts must know in common, 16 characters or more; needed for more than one host. */
  secret?: string | undefined;
  /** Seconds to form the world. Default 600; negative: for ever. */
  clusterTimeOut?: number;
  /** Variables of the ranks, over this process's own. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Words before node in the command of each rank here, by its number on this host. */
  prefix?: (localRank: number) => readonly string[];
  /**
   * Called with what a rank writes; the rank is read on when a promise that it returns resolves.
   * Default: passed on to this process's own output.
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
  /** Ends the launch on all hosts. */
  signal?: AbortSignal | undefined;
}

export type LaunchPlan = Required<Omit<ProcessLaunchOptions, 'secret' | 'signal'>> & {
  readonly secret: string | null;
  readonly signal: AbortSignal | null;
};

export const MASTER_PORT = 8118;

/** @throws TypeError or RangeError that names the option and what came */
export function planOf(options: ProcessLaunchOptions): LaunchPlan {
  const { workerNum, localWorkerNum = workerNum, secret, signal } = options;
  integer('workerNum', workerNum, 1, Number.MAX_SAFE_INTEGER);
  integer('localWorkerNum', localWorkerNum, 1, workerNum);
  const plan: LaunchPlan = {
    script: options.script,
    args: options.args ?? [],
    execArgv: options.execArgv ?? [],
    workerNum,
    localWorkerNum,
    masterAddr: (options.masterAddr ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1'),
    masterPort: integer('masterPort', options.masterPort ?? MASTER_PORT, 0, 65535),
    nodeRank: integer('nodeRank', options.nodeRank ?? -1, -1, workerNum - 1),
    secret: secret ?? null,
    clusterTimeOut: options.clusterTimeOut ?? START_TIMEOUT,
    env: options.env ?? {},
    prefix: options.prefix ?? (() => []),
    onOutput: options.onOutput ?? ((_, stream, bytes) => void process[stream].write(bytes)),
    onStart: options.onStart ?? (() => {}),
    onNote: options.onNote ?? (() => {}),
    signal: signal ?? null,
  };
  if (Number.isNaN(plan.clusterTimeOut)) {
    throw new RangeError('launch: clusterTimeOut must be a number of seconds, got NaN');
  }
  if (localWorkerNum < workerNum) checkSecret(secret);
  return plan;
}

function integer(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value)) {
    throw new TypeError(`launch: ${name} must be an integer, got ${String(value)}`);
  }
  if (value < least || value > most) {
    throw new RangeError(`launch: ${name} must be ${least} to ${most}, got ${value}`);
  }
  return value;
}
