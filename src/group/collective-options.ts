/** The options of collectives, and their check. */

import { checkOptionNames } from '../core/options.js';
import { show } from '../core/show.js';
import type { CollectiveArray, ReduceOp } from './transport.js';

/** Options that every collective takes. */
export interface CollectiveOptions {
  /** Owner of the call, such as a layer. Ranks must agree on it, and every error names it. */
  label?: string;
  /**
   * Seconds until the call fails, more than 0, counted from when this rank begins to wait for it;
   * Infinity: never. Default: the world's.
   */
  timeout?: number;
}

export interface AllReduceOptions<T extends CollectiveArray = CollectiveArray>
  extends CollectiveOptions {
  /** Receives the result: of `data`'s kind and length. Default: `data` itself. */
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

/** Options of a call without any. The check on every call's path knows them by identity. */
export const NO_OPTIONS: CollectiveOptions = {};

/**
 * @throws TypeError for an option that `kind` does not know, with the nearest name that it knows,
 *   and for a label that is not a string
 */
export function checkOptions(kind: keyof typeof NAMES, options: CollectiveOptions): void {
  if (options === NO_OPTIONS) return;
  checkOptionNames(options, NAMES[kind], kind);
  const { label } = options;
  if (label === undefined || typeof label === 'string') return;
  throw new TypeError(`${kind}: label must be a string, got ${show(label)}`);
}
