/** What the launcher tells a rank's thread when it starts it, and what the thread reports back. */

import type { MessagePort } from 'node:worker_threads';
import type { ThreadWorldHandle } from '../../group/thread/world.js';
import type { OutputStream } from './events.js';
import type { Tsx } from './typescript.js';

/** Where a rank's standard output and error go; each of the three on its own. */
export interface RankOutput {
  /** Path of the rank's log file, which is there; null: no log. */
  readonly log: string | null;
  /** Whether they also go to the process's own standard output and error. */
  readonly console: boolean;
  /** Whether they also go to the launcher as reports. */
  readonly report: boolean;
}

/** How a rank's thread runs its script. */
export interface RankPlan {
  /** URL of the script. */
  readonly script: string;
  /** True: as `node script` would. False: as a module whose exported `main` is called. */
  readonly program: boolean;
  /** Argument of `main`. */
  readonly data: unknown;
  /** What makes Node read TypeScript; null when it can, or need not. */
  readonly tsx: Tsx | null;
  readonly output: RankOutput;
  /** Takes {@link RankReport}s; `parentPort` is left to the script. */
  readonly reports: MessagePort;
}

/** `workerData` of a rank's thread. */
export interface RankData {
  /** Where `init` looks for its world. */
  readonly syncbn: ThreadWorldHandle;
  readonly launch: RankPlan;
}

export type RankReport =
  | { readonly kind: 'started' }
  | { readonly kind: 'output'; readonly stream: OutputStream; readonly text: string }
  | { readonly kind: 'result'; readonly value: unknown };
