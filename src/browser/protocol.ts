/**
 * Messages between a page and the workers of its ranks, on the worker's own port, so that they
 * arrive in order with those of the script. Each is an object with the one key `syncbn`.
 */

import type { ThreadWorldHandle } from '../group/thread/world.js';

/** From a worker whose script has called `runRank`. */
export type RankReport =
  /** Waits for its {@link RankStart}, and holds the Web Lock `lock` as long as it lives. */
  | { readonly kind: 'ready'; readonly lock: string }
  | { readonly kind: 'result'; readonly value: unknown }
  | {
      readonly kind: 'failure';
      readonly text: string;
      /** Name of the error. */
      readonly name: string;
      /** The error; undefined if it cannot be copied. */
      readonly error: unknown;
    };

/** A rank's start; lies in its port before the worker is ready, so that it is copied at once. */
export interface RankStart {
  readonly handle: ThreadWorldHandle;
  /** Argument of the script's `main`. */
  readonly data: unknown;
}

/** The page's answer to `ready`. */
export interface StartMessage {
  readonly syncbn: { readonly start: MessagePort };
}

export interface ReportMessage {
  readonly syncbn: RankReport;
}

/** True if `data` of a message is ours, and not the script's. */
export function isOurs(data: unknown): data is { readonly syncbn: unknown } {
  return typeof data === 'object' && data !== null && 'syncbn' in data;
}
