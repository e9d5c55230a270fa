/**
 * A rank's waits: it looks for the microsecond that a collective takes when all are there, then
 * rests between looks in the way of its world. While it waits, all collectives that it has under
 * way move on, so that groups may be waited for in different orders on different ranks.
 */

import { mustAwait } from '../may-block.js';

/** Something of this rank that may move on. */
export interface Progress {
  /** Moves on as far as it can. */
  advance(): void;
}

export interface Awaited {
  readonly settled: boolean;
  /** Counts up as it moves on: a collective that has moved may well move again soon. */
  readonly steps: number;
  /** Milliseconds that the wait may take. */
  readonly timeout: number;
  /** Settles it with an error if it can never end, or has taken too long. */
  check(waited: number): void;
  /** Told when the rank begins to block for longer than some looks, and when it goes on. */
  block(isBlocked: boolean): void;
  /** Told repeatedly that the rank awaits it without blocking, and once when it awaits nothing. */
  expect(isAwaited: boolean): void;
}

/** The rest of a rank, between two looks. */
export interface Rest {
  readonly mayBlock: boolean;
  /** Looks at what is awaited before the first rest. */
  readonly looks: number;
  /** Looks between two rests; 0 if everything awaited is added to {@link Waiting}. */
  readonly looksBetween: number;
  /** Called before the last look: any later event ends the rest. */
  arm(): void;
  /**
   * Blocks until something may have come, or it is time to look.
   * @param waited milliseconds since the wait began, or since what is awaited has moved
   * @param left milliseconds until the deadline
   */
  block(waited: number, left: number): void;
  /** Pauses without blocking, for as long as `block` would. */
  pause(waited: number, left: number): Promise<void>;
  disarm(): void;
}

/** Looks at what is awaited between looks at everything else. */
const STRIDE = 32;

export class Waiting {
  readonly #rest: Rest;
  /** Transports of this rank's groups; one without a collective under way has nothing to do. */
  readonly #active: Progress[] = [];
  /** Everything that this rank awaits without blocking, the latest last. */
  readonly #settling: Awaited[] = [];

  constructor(rest: Rest) {
    this.#rest = rest;
  }

  get mayBlock(): boolean {
    return this.#rest.mayBlock;
  }

  /** Lets `progress` move on whenever this rank waits, until {@link remove}. */
  add(progress: Progress): void {
    this.#active.push(progress);
  }

  /** Harmless if it was removed before. */
  remove(progress: Progress): void {
    const place = this.#active.indexOf(progress);
    if (place >= 0) this.#active.splice(place, 1);
  }

  /** Blocks until `awaited` has settled; `own` is what it most likely waits for. */
  block(own: Progress, awaited: Awaited): void {
    if (!this.mayBlock) throw mustAwait();
    if (this.#look(own, awaited, this.#rest.looks)) return;
    const start = performance.now();
    let { steps: known } = awaited;
    let moved = 0;
    awaited.block(true);
    try {
      let looks: number;
      do {
        const { steps } = awaited;
        this.#rest.arm();
        const waited = this.#lastLook(awaited, start);
        const hasMoved = awaited.steps !== steps;
        if (awaited.steps !== known) {
          known = awaited.steps;
          moved = waited;
        }
        if (waited >= 0 && !hasMoved) {
          this.#rest.block(waited - moved, awaited.timeout - waited);
        }
        this.#rest.disarm();
        looks = hasMoved ? this.#rest.looks : this.#rest.looksBetween;
      } while (!this.#look(own, awaited, looks));
    } finally {
      awaited.block(false);
    }
  }

  /** Waits without blocking until `awaited` has settled. */
  async settle(awaited: Awaited): Promise<void> {
    const start = performance.now();
    this.#settling.push(awaited);
    while (!awaited.settled) {
      awaited.expect(true);
      this.#rest.arm();
      const waited = this.#lastLook(awaited, start);
      if (waited >= 0) await this.#rest.pause(waited, awaited.timeout - waited);
      this.#rest.disarm();
    }
    this.#settling.splice(this.#settling.indexOf(awaited), 1);
    // A rank has one mark for all that it awaits.
    const other = this.#settling.at(-1);
    (other ?? awaited).expect(other !== undefined);
  }

  /** Blocks until `ended` says so or `milliseconds` have passed. @returns true if it ended */
  blockUntil(ended: () => boolean, milliseconds: number): boolean {
    let isOver = false;
    const awaited = {
      settled: false,
      steps: 0,
      timeout: milliseconds,
      check: (waited: number) => {
        awaited.settled = waited > milliseconds;
      },
      block: () => {},
      expect: () => {},
    };
    const advance = () => {
      isOver = ended();
      awaited.settled = isOver;
    };
    this.block({ advance }, awaited);
    return isOver;
  }

  /** Looks once more: later events ring a bell. @returns milliseconds waited; -1: settled */
  #lastLook(awaited: Awaited, start: number): number {
    this.advance();
    const waited = performance.now() - start;
    if (!awaited.settled) awaited.check(waited);
    return awaited.settled ? -1 : waited;
  }

  /**
   * Looks until nothing has moved for `looks` looks: a long array takes many rounds.
   * @returns true if `awaited` has settled
   */
  #look(own: Progress, awaited: Awaited, looks: number): boolean {
    if (awaited.settled) return true;
    let { steps } = awaited;
    for (let look = 1; look <= looks; look++) {
      own.advance();
      if (awaited.settled) return true;
      if (look % STRIDE === 0) this.advance();
      if (awaited.steps === steps) continue;
      steps = awaited.steps;
      look = 0;
    }
    return false;
  }

  /** Lets everything move on; for worlds whose events tell them that they may. */
  advance(): void {
    // Backwards, since a transport that ends removes itself.
    for (let i = this.#active.length - 1; i >= 0; i--) this.#active[i].advance();
  }
}
