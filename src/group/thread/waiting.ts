/**
 * How a rank waits: it spins for the microsecond that a collective takes when all are there, then
 * sleeps on its doorbell. While it waits, every collective that it has under way moves on, so that
 * two groups may be waited for in different orders on different ranks.
 */

import { coreCount } from '../../core/platform.js';
import { mustAwait, threadMayBlock } from '../may-block.js';
import { RANK, type Segment } from './segment.js';

/** Something of this rank that may move on when a bell rings. */
export interface Progress {
  /** Moves on as far as it can. */
  advance(): void;
}

/** What a rank waits for. */
export interface Awaited {
  readonly settled: boolean;
  /** Called when the wait begins to be a long one; the deadline counts from here. */
  startClock(): void;
  /**
   * Called whenever the rank was woken for nothing, and every now and then while it sleeps (then
   * `idle`); settles the wait if it is hopeless.
   */
  check(idle: boolean): void;
  /** Says what blocks this rank, for the other ranks' search for a circle. */
  readonly blockedArea: number;
  readonly blockedCall: number;
}

/** Rounds of the spin before sleeping, where every rank has a core of its own, and where not. */
const SPINS = 5000;
const SPINS_CROWDED = 200;
/** Milliseconds between checks of a sleeping rank. Wake-ups do not depend on it. */
const CHECK_MS = 100;

export class Waiting {
  readonly mayBlock = threadMayBlock();
  readonly #segment: Segment;
  readonly #rank: number;
  readonly #bell: number;
  readonly #spins: number;
  /** Transports of this rank's groups; one with nothing under way has nothing to do. */
  readonly #active: Progress[] = [];
  #sleepers = 0;

  constructor(segment: Segment, rank: number) {
    this.#segment = segment;
    this.#rank = rank;
    this.#bell = segment.rankWord(rank, RANK.doorbell);
    this.#spins = segment.size > coreCount() ? SPINS_CROWDED : SPINS;
  }

  /** Lets `progress` move on whenever this rank waits, until {@link remove}. */
  add(progress: Progress): void {
    this.#active.push(progress);
  }

  /** Once, and not from within `advance`. */
  remove(progress: Progress): void {
    this.#active.splice(this.#active.indexOf(progress), 1);
  }

  /** Blocks until `awaited` has settled. */
  block(awaited: Awaited): void {
    if (!this.mayBlock) throw mustAwait();
    for (let spin = 0; spin < this.#spins; spin++) {
      this.#advanceAll();
      if (awaited.settled) return;
    }
    awaited.startClock();
    this.#markBlocked(awaited.blockedArea, awaited.blockedCall);
    try {
      while (!awaited.settled) {
        const bell = this.#arm();
        this.#advanceAll();
        if (awaited.settled) break;
        const rung = this.#sleep(bell);
        this.#advanceAll();
        if (!awaited.settled) awaited.check(!rung);
      }
    } finally {
      this.#markBlocked(0, 0);
      this.#disarm();
    }
  }

  /** Waits without blocking until `awaited` has settled. */
  async settle(awaited: Awaited): Promise<void> {
    this.#sleepers++;
    awaited.startClock();
    try {
      for (;;) {
        const bell = this.#arm();
        this.#advanceAll();
        if (awaited.settled) return;
        const rung = await this.#bellAfter(bell);
        this.#advanceAll();
        if (!awaited.settled) awaited.check(!rung);
      }
    } finally {
      this.#sleepers--;
      this.#disarm();
    }
  }

  #advanceAll(): void {
    for (let i = this.#active.length - 1; i >= 0; i--) this.#active[i].advance();
  }

  /**
   * Announces that the bell must be rung, and returns its value. Read before the announcement and
   * before the last look at the peers: whatever comes later changes the bell, and no sleep starts
   * on a changed bell.
   */
  #arm(): number {
    const bell = Atomics.load(this.#segment.words, this.#bell);
    this.#segment.store(this.#rank, RANK.parked, 1);
    return bell;
  }

  #disarm(): void {
    if (this.#sleepers === 0) this.#segment.store(this.#rank, RANK.parked, 0);
  }

  /** Whether the bell rang before it was time for a check. */
  #sleep(bell: number): boolean {
    return Atomics.wait(this.#segment.words, this.#bell, bell, CHECK_MS) !== 'timed-out';
  }

  /** The same without blocking. */
  async #bellAfter(bell: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    // The timer also keeps Node alive: a pending waitAsync alone does not.
    const pause = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), CHECK_MS);
    });
    try {
      const { async, value } = Atomics.waitAsync(this.#segment.words, this.#bell, bell, CHECK_MS);
      if (!async) return true;
      return await Promise.race([value.then((outcome) => outcome === 'ok'), pause]);
    } finally {
      clearTimeout(timer);
    }
  }

  #markBlocked(area: number, call: number): void {
    const { words } = this.#segment;
    words[this.#segment.rankWord(this.#rank, RANK.blockedCall)] = call;
    Atomics.add(words, this.#segment.rankWord(this.#rank, RANK.blockedEpoch), 1);
    this.#segment.store(this.#rank, RANK.blockedArea, area);
  }
}
