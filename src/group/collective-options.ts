/** The options of collectives, and their check. */

import { checkOptionNames } from '../core/options.js';
import { show } from '../core/show.js';
import type { CollectiveArray, ReduceOp } from './transport.js';

/** Options that every collective takes. */
export interface CollectiveOptions {
  /** What the call belongs to; part of what ranks must agree on, and of every error. */
  label?: string;
  /**
   * Seconds until the call fails, more than 0, counted from when this rank begins to wait for it;
   * Infinity: never. Default: the world's.
   */
  timeout?: number;
}

export interface AllReduceOptions<T extends CollectiveArray = CollectiveArray>
  extends CollectiveOptions {
  /** Where the result goes: of `data`'s kind and length. Default: `data` itself. */
  out?: T;
  /**
   * Default 'sum'. All run in rank order, so every rank gets the same bits. 'mean' is the sum
   * divided by the number of ranks, for floating-point arrays.
   */
  op?: ReduceOp;
}

export interface BroadcastOptions extends CollectiveOptions {
  /** Group rank that sends. Default 0. */
  root?: number;
}

const COMMON = ['label', 'timeout'];

/** Names of the options of each collective. */
const NAMES = {
  allReduce: [...COMMON, 'out', 'op'],
  allGather: [...COMMON, 'out', 'uneven'],
  broadcast: [...COMMON, 'root'],
  barrier: COMMON,
  raise: COMMON,
} as const;

/** What a call without options has, told by its identity: the check is on every call's path. */
export const NO_OPTIONS: CollectiveOptions = {};

/**
 * @throws TypeError for options that `kind` does not know, with the nearest that it knows, and for
 *   a label that is no string
 */
export function checkOptions(kind: keyof typeof NAMES, options: CollectiveOptions): void {
  if (options === NO_OPTIONS) return;
  checkOptionNames(options, NAMES[kind], kind);
  const { label } = options;
  if (label === undefined || typeof label === 'string') return;
  throw new TypeError(`${kind}: label must be a string, got ${show(label)}`);
}
