/**
 * The ranks of one world as threads: started together, and ended together when one fails. The
 * first failure wakes every rank that waits for others; after a short grace, in which they may
 * log and clean up, the threads that are left are ended.
 */

import type { ResourceLimits, Transferable } from 'node:worker_threads';
import { describeError } from '../../core/errors.js';
import {
  createThreadWorld,
  failThreadWorld,
  markExited,
  readThreadFailure,
  type ThreadWorldHandle,
} from '../../group/thread/world.js';
import type { RankOutput, TsxModules } from './protocol.js';
import { type RankEvents, RankThread } from './rank-thread.js';

/** Milliseconds that the others may still run after a rank has failed. */
const GRACE_MS = 1000;
/** Milliseconds after which a thread that was told to end is left behind: it is in native code. */
const STUCK_MS = 2000;
/** A timer cannot run longer than this; more is for ever. */
const MAX_TIMER_MS = 0x7fffffff;

export interface RanksOptions extends RankEvents {
  size: number;
  script: URL;
  program: boolean;
  tsx: TsxModules | null;
  args: readonly string[];
  dataOf: (rank: number) => unknown;
  outputOf: (rank: number) => RankOutput;
  /** Seconds that a collective may take; undefined: the world's default. */
  timeout: number | undefined;
  /** Seconds until every rank must have started its script; Infinity: for ever. */
  startTimeout: number;
  resourceLimits?: ResourceLimits | undefined;
}

export interface RankFailure {
  /** World rank that failed first. */
  readonly rank: number;
  /** 'rank 2 failed: Error: ...' */
  readonly text: string;
  /** What it threw; undefined when it threw nothing. */
  readonly error: unknown;
  /** Exit code of its thread; 1 when it had to be ended. */
  readonly exitCode: number;
}

/** How a world ended. */
export interface WorldEnd {
  readonly failure: RankFailure | null;
  /** Whether {@link Ranks.stop} ended it. */
  readonly stopped: boolean;
  /** What each rank's `main` returned, in rank order. */
  readonly results: unknown[];
  /** Ranks whose threads do not end because they are inside native code. */
  readonly stuck: number[];
}

export class Ranks {
  /** Resolves, and never rejects, when every thread has ended. */
  readonly end: Promise<WorldEnd>;
  readonly #handles: ThreadWorldHandle[];
  readonly #threads: RankThread[] = [];
  readonly #startTimer: NodeJS.Timeout | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  #stopped = false;
  #ending = false;
  #settle: () => void = () => {};

  /** Starts the threads. @throws DataCloneError for data that cannot be copied to a thread */
  constructor(options: RanksOptions) {
    this.#handles = createThreadWorld(options.size, worldOptions(options));
    this.end = new Promise((resolve) => {
      this.#settle = () => resolve(this.#worldEnd());
    });
    this.#startTimer = timer(options.startTimeout, () => this.#notFormed(options.startTimeout));
    try {
      for (const handle of this.#handles) this.#threads.push(this.#start(handle, options));
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Sends `message` to a rank's `parentPort`. */
  post(rank: number, message: unknown, transferList?: readonly Transferable[]): void {
    this.#threads[rank].post(message, transferList);
  }

  /** Ends every rank at once; {@link end} resolves when they have ended. */
  stop(): void {
    if (this.#running().length > 0) this.#stopped = true;
    this.#endAll();
  }

  #start(handle: ThreadWorldHandle, options: RanksOptions): RankThread {
    const { script, program, tsx, args, resourceLimits } = options;
    const { rank } = handle;
    return new RankThread({
      handle,
      plan: {
        script: script.href,
        program,
        tsx,
        data: options.dataOf(rank),
        output: options.outputOf(rank),
      },
      args,
      resourceLimits,
      events: options,
      onStarted: () => {
        if (this.#threads.every((thread) => thread.started)) clearTimeout(this.#startTimer);
      },
      onEnded: (thread) => this.#ended(thread),
    });
  }

  #ended(thread: RankThread): void {
    const { rank, error, exitCode } = thread;
    if (exitCode !== 0 && !this.#stopped) {
      this.#fail(rank, error === undefined ? `exit code ${exitCode}` : describeError(error));
    }
    markExited(this.#handles[rank], exitCode ?? 0);
    if (this.#running().length > 0) return;
    clearTimeout(this.#startTimer);
    clearTimeout(this.#endTimer);
    this.#settle();
  }

  #fail(rank: number, why: string): void {
    failThreadWorld(this.#handles[rank], `rank ${rank} failed: ${why}`);
    if (this.#endTimer === undefined) this.#endTimer = setTimeout(() => this.#endAll(), GRACE_MS);
  }

  #notFormed(seconds: number): void {
    const missing = this.#threads.filter((thread) => !thread.started).map(({ rank }) => rank);
    const late = missing.length === 1 ? 'it' : `ranks ${missing.join(', ')}`;
    this.#fail(missing[0], `${late} did not start within ${seconds} s`);
    this.#endAll();
  }

  #endAll(): void {
    if (this.#ending) return;
    this.#ending = true;
    for (const thread of this.#running()) thread.end();
    clearTimeout(this.#startTimer);
    clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(this.#settle, STUCK_MS);
  }

  #running(): RankThread[] {
    return this.#threads.filter((thread) => thread.exitCode === null);
  }

  #worldEnd(): WorldEnd {
    const first = this.#stopped ? null : readThreadFailure(this.#handles[0]);
    return {
      failure: first && this.#failureOf(first.rank, first.text),
      stopped: this.#stopped,
      results: this.#threads.map((thread) => thread.result),
      stuck: this.#running().map(({ rank }) => rank),
    };
  }

  #failureOf(rank: number, text: string): RankFailure {
    const { error, exitCode } = this.#threads[rank];
    return { rank, text, error, exitCode: exitCode || 1 };
  }
}

function worldOptions({ timeout }: RanksOptions): { timeout?: number } {
  return timeout === undefined ? {} : { timeout };
}

/** Calls `ring` after `seconds`; never, when they are more than a timer can run. */
function timer(seconds: number, ring: () => void): NodeJS.Timeout | undefined {
  return seconds * 1000 > MAX_TIMER_MS ? undefined : setTimeout(ring, seconds * 1000);
}
