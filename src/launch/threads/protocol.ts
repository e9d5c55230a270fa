/** The plan that a rank's thread is started with, and messages between it and the launcher. */

import type { MessagePort } from 'node:worker_threads';
import type { ThreadWorldHandle } from '../../group/thread/world.js';
import type { OutputStream } from './events.js';
import type { Tsx } from './typescript.js';

/** A rank's thread, its script and its lines to the launcher. */
export interface RankPlan {
  /** URL of the script. */
  readonly script: string;
  /** True: as `node script` would. False: as a module whose exported `main` is called. */
  readonly program: boolean;
  /** Argument of `main`. */
  readonly data: unknown;
  /** Modules that make Node read TypeScript; null if it can, or need not. */
  readonly tsx: Tsx | null;
  /** Path of the rank's log file, which exists; null: no log. */
  readonly log: string | null;
  /** If true, the rank's output also goes to the launcher. */
  readonly sendsOutput: boolean;
  /** {@link BOARD} in memory that the launcher shares. */
  readonly board: Int32Array;
  /** Takes {@link RankReport}s and brings {@link RankRequest}s; `parentPort` is the script's. */
  readonly reports: MessagePort;
}

/** Words that a rank and its launcher share. */
export const BOARD = {
  /** Bits of the events that the script listens to; see {@link hearingBit}. */
  hearing: 0,
  /** Bytes that the rank has sent and the launcher has not passed on. */
  pending: 1,
  words: 2,
} as const;

/** Bytes that may be pending before the rank has to wait. */
export const HIGH_WATER = 1 << 20;

const HEARABLE = ['exit', 'SIGHUP', 'SIGINT', 'SIGTERM'];

/** The bit of an event that a script may listen to when it is asked to end; 0 for other events. */
export function hearingBit(event: string): number {
  const place = HEARABLE.indexOf(event);
  return place < 0 ? 0 : 1 << place;
}

/** `workerData` of a rank's thread. */
export interface RankData {
  /** The world that `init` joins. */
  readonly syncbn: ThreadWorldHandle;
  readonly launch: RankPlan;
}

export type RankReport =
  | { readonly kind: 'started' }
  /** `init` was called. */
  | { readonly kind: 'joined' }
  | { readonly kind: 'output'; readonly stream: OutputStream; readonly bytes: Uint8Array }
  /** The log cannot be written to any more; `text` says why. */
  | { readonly kind: 'log'; readonly text: string }
  /** An error that nobody caught; `text` is the error as Node prints it. */
  | { readonly kind: 'thrown'; readonly text: string; readonly because: boolean }
  | { readonly kind: 'result'; readonly value: unknown };

/** The launcher asks the rank to end, as the signal asks a process. */
export interface RankRequest {
  readonly signal: string;
}
