/**
 * The ranks of one world: started together, and ended together when one fails. The first failure
 * wakes every rank that waits for others; after a short grace, in which they may log and clean up,
 * the ranks that are left are ended.
 */

import { describeError } from '../../core/errors.js';
import {
  createThreadWorld,
  failThreadWorld,
  markExited,
  readThreadFailure,
  type ThreadWorldHandle,
} from '../../group/thread/world.js';
import type { RankEnd, RunningRank, StartRank } from './rank.js';
import { startTimer, type Timer } from './timer.js';

/** Milliseconds that the others may still run after a rank has failed. */
const GRACE_MS = 1000;
/** Milliseconds after which a rank that was told to end is left behind: it is in native code. */
const STUCK_MS = 2000;

export interface RanksOptions {
  size: number;
  startRank: StartRank;
  /** Seconds that a collective may take; undefined: the world's default. */
  timeout: number | undefined;
  /** Seconds until every rank must have started its script; negative or Infinity: for ever. */
  startTimeout: number;
}

export interface RankFailure {
  /** World rank that failed first. */
  readonly rank: number;
  /** 'rank 2 failed: Error: ...' */
  readonly text: string;
  /** What it threw; undefined when it threw nothing. */
  readonly error: unknown;
  /** Its exit code; 1 when it had to be ended. */
  readonly exitCode: number;
}

/** How a world ended. */
export interface WorldEnd {
  readonly failure: RankFailure | null;
  /** Whether {@link Ranks.stop} ended it. */
  readonly stopped: boolean;
  /** What each rank's `main` returned, in rank order. */
  readonly results: unknown[];
  /** Ranks that do not end because they are inside native code. */
  readonly stuck: number[];
}

interface Member {
  readonly handle: ThreadWorldHandle;
  readonly running: RunningRank;
  started: boolean;
  /** Null while the rank runs. */
  end: RankEnd | null;
}

export class Ranks {
  /** Resolves, and never rejects, when every rank has ended. */
  readonly end: Promise<WorldEnd>;
  readonly #members: Member[] = [];
  readonly #startTimer: Timer;
  #endTimer: Timer;
  #stopped = false;
  #ending = false;
  #settle: () => void = () => {};

  /** Starts the ranks. @throws DataCloneError for data that cannot be copied to a rank */
  constructor({ size, startRank, timeout, startTimeout }: RanksOptions) {
    const handles = createThreadWorld(size, timeout === undefined ? {} : { timeout });
    this.end = new Promise((resolve) => {
      this.#settle = () => resolve(this.#worldEnd());
    });
    this.#startTimer = startTimer(startTimeout, () => this.#notFormed(startTimeout));
    try {
      for (const handle of handles) this.#members.push(this.#start(handle, startRank));
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Sends `message` to the script of a rank. */
  post(rank: number, message: unknown, transferList?: readonly unknown[]): void {
    this.#members[rank].running.post(message, transferList);
  }

  /** Ends every rank at once; {@link end} resolves when they have ended. */
  stop(): void {
    if (this.#left().length > 0) this.#stopped = true;
    this.#endAll();
  }

  #start(handle: ThreadWorldHandle, startRank: StartRank): Member {
    const running = startRank(handle, {
      started: () => {
        member.started = true;
        if (this.#members.every(({ started }) => started)) clearTimeout(this.#startTimer);
      },
      ended: (end) => this.#ended(member, end),
    });
    const member: Member = { handle, running, started: false, end: null };
    return member;
  }

  #ended(member: Member, end: RankEnd): void {
    const { exitCode, error } = end;
    member.end = end;
    if (exitCode !== 0 && !this.#stopped) {
      this.#fail(member, error === undefined ? `exit code ${exitCode}` : describeError(error));
    }
    markExited(member.handle, exitCode);
    if (this.#left().length > 0) return;
    clearTimeout(this.#startTimer);
    clearTimeout(this.#endTimer);
    this.#settle();
  }

  #fail({ handle }: Member, why: string): void {
    failThreadWorld(handle, `rank ${handle.rank} failed: ${why}`);
    this.#endTimer ??= setTimeout(() => this.#endAll(), GRACE_MS);
  }

  #notFormed(seconds: number): void {
    const missing = this.#members.filter(({ started }) => !started);
    const ranks = missing.map(({ handle }) => handle.rank);
    const late = missing.length === 1 ? 'it' : `ranks ${ranks.join(', ')}`;
    this.#fail(missing[0], `${late} did not start within ${seconds} s`);
    this.#endAll();
  }

  #endAll(): void {
    if (this.#ending) return;
    this.#ending = true;
    for (const { running } of this.#left()) running.end();
    clearTimeout(this.#startTimer);
    clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(this.#settle, STUCK_MS);
  }

  #left(): Member[] {
    return this.#members.filter(({ end }) => end === null);
  }

  #worldEnd(): WorldEnd {
    const first = this.#stopped ? null : readThreadFailure(this.#members[0].handle);
    return {
      failure: first && this.#failureOf(first.rank, first.text),
      stopped: this.#stopped,
      results: this.#members.map(({ end }) => end?.result),
      stuck: this.#left().map(({ handle }) => handle.rank),
    };
  }

  #failureOf(rank: number, text: string): RankFailure {
    const { end } = this.#members[rank];
    return { rank, text, error: end?.error, exitCode: end?.exitCode || 1 };
  }
}
