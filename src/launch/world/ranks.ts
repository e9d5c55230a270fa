/**
 * The ranks of one world: started together, and ended together when one fails. The first failure
 * wakes every rank that waits for others. After a second, in which they may report their own view
 * of it, the remaining ranks are asked to end; after the grace they are ended.
 */

import { describeError } from '../../core/errors.js';
import { startTimer, type Timer } from '../../core/timer.js';
import {
  createThreadWorld,
  failThreadWorld,
  markExited,
  readThreadFailure,
  type ThreadWorldHandle,
} from '../../group/thread/world.js';
import type { RankEnd, RunningRank, StartRank } from './rank.js';
import { DEFAULT_GRACE, failureStatus } from './signals.js';

/** Seconds that the other ranks have for their own words after a rank has failed. */
const LAST_WORDS = 1;
/** Seconds after which a rank that was ended is given up: it is in native code. */
const STUCK = 2;

export interface RanksOptions {
  size: number;
  startRank: StartRank;
  /** Seconds that a collective may take; undefined: the world's default. */
  timeout: number | undefined;
  /** Seconds until every rank must have started its script; negative or Infinity: forever. */
  startTimeout: number;
  /** Seconds that ranks have after a failure, from the request to end to their end; default 5. */
  grace?: number | undefined;
  /** Called when every rank runs its script. */
  onStarted?: () => void;
}

export interface RankFailure {
  /** World rank that failed first. */
  readonly rank: number;
  /** 'rank 2 failed: Error: ...' */
  readonly text: string;
  /** The error that it threw; undefined if it threw none. */
  readonly error: unknown;
  /** Its exit code, 1 to 255; 1 when it had to be ended. */
  readonly exitCode: number;
}

/** The end of a world. */
export interface WorldEnd {
  readonly failure: RankFailure | null;
  /** Set if it was told to end. */
  readonly stopped: boolean;
  /** Values that the ranks' `main` returned, in rank order. */
  readonly results: unknown[];
  /** Ranks that do not end because they are inside native code. */
  readonly stuck: number[];
}

interface Member {
  readonly handle: ThreadWorldHandle;
  readonly running: RunningRank;
  started: boolean;
  joined: boolean;
  /** Null while the rank runs. */
  end: RankEnd | null;
}

export class Ranks {
  /** Resolves, and never rejects, when every rank has ended. */
  readonly end: Promise<WorldEnd>;
  readonly #grace: number;
  readonly #onStarted: () => void;
  readonly #members: Member[] = [];
  readonly #startTimer: Timer;
  #endTimer: Timer;
  /** The first failure that was seen here; a rank may die before it can record its own. */
  #failure: { rank: number; text: string } | null = null;
  #stopped = false;
  #ending = false;
  #settle: () => void = () => {};

  /** Starts the ranks. @throws DataCloneError for data that cannot be copied to a rank */
  constructor({ size, startRank, timeout, startTimeout, grace, onStarted }: RanksOptions) {
    const handles = createThreadWorld(size, timeout === undefined ? {} : { timeout });
    this.#grace = grace ?? DEFAULT_GRACE;
    this.#onStarted = onStarted ?? (() => {});
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

  /** Asks every rank to end, and ends the remaining ones after `grace` seconds. */
  interrupt(signal: string, grace: number): void {
    if (this.#left().length === 0) return;
    this.#stopped = true;
    this.#ask(signal, grace);
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
        if (this.#members.some(({ started }) => !started)) return;
        clearTimeout(this.#startTimer);
        this.#onStarted();
      },
      joined: () => {
        member.joined = true;
        this.#checkJoined();
      },
      ended: (end) => this.#ended(member, end),
    });
    const member: Member = { handle, running, started: false, joined: false, end: null };
    return member;
  }

  #ended(member: Member, end: RankEnd): void {
    const { exitCode, threw, error } = end;
    member.end = end;
    const thrown = threw ?? error !== undefined;
    if ((exitCode !== 0 || thrown) && !this.#stopped) {
      this.#fail(member, thrown ? describeError(error) : `exit code ${exitCode}`);
    }
    this.#checkJoined();
    markExited(member.handle, exitCode);
    if (this.#left().length > 0) return;
    clearTimeout(this.#startTimer);
    clearTimeout(this.#endTimer);
    this.#settle();
  }

  /** A rank that ends without joining, although others have joined, has computed something else. */
  #checkJoined(): void {
    if (this.#stopped || this.#failure !== null) return;
    const absent = this.#members.find(({ end, joined }) => end !== null && !joined);
    if (absent === undefined || this.#members.every(({ joined }) => !joined)) return;
    this.#fail(absent, 'it ended without joining the world, as init() does');
  }

  #fail({ handle }: Member, why: string): void {
    const { rank } = handle;
    const text = `rank ${rank} failed: ${why}`;
    this.#failure ??= { rank, text };
    failThreadWorld(handle, text);
    if (this.#ending) return;
    this.#endTimer ??= startTimer(LAST_WORDS, () => this.#ask('SIGTERM', this.#grace));
  }

  #notFormed(seconds: number): void {
    const missing = this.#members.filter(({ started }) => !started);
    const ranks = missing.map(({ handle }) => handle.rank);
    const late = missing.length === 1 ? 'it' : `ranks ${ranks.join(', ')}`;
    this.#fail(missing[0], `${late} did not start within ${seconds} s`);
    this.#endAll();
  }

  #ask(signal: string, grace: number): void {
    const hearing = this.#left().filter(({ running }) => running.ask?.(signal));
    if (hearing.length === 0) {
      this.#endAll();
      return;
    }
    for (const member of this.#left()) if (!hearing.includes(member)) member.running.end();
    clearTimeout(this.#endTimer);
    this.#endTimer = startTimer(grace, () => this.#endAll());
  }

  #endAll(): void {
    if (this.#ending) return;
    this.#ending = true;
    for (const { running } of this.#left()) running.end();
    clearTimeout(this.#startTimer);
    clearTimeout(this.#endTimer);
    this.#endTimer = startTimer(STUCK, this.#settle);
  }

  #left(): Member[] {
    return this.#members.filter(({ end }) => end === null);
  }

  #worldEnd(): WorldEnd {
    const recorded = readThreadFailure(this.#members[0].handle) ?? this.#failure;
    const first = this.#stopped ? null : recorded;
    return {
      failure: first && this.#failureOf(first.rank, first.text),
      stopped: this.#stopped,
      results: this.#members.map(({ end }) => end?.result),
      stuck: this.#left().map(({ handle }) => handle.rank),
    };
  }

  #failureOf(rank: number, text: string): RankFailure {
    const { end } = this.#members[rank];
    return { rank, text, error: end?.error, exitCode: failureStatus(end?.exitCode ?? 1) };
  }
}
