/** A thread's rest: it sleeps on its doorbell, which other ranks ring when they have sent. */

import { coreCount } from '../../core/platform.js';
import { threadMayBlock } from '../may-block.js';
import type { Rest } from '../rounds/waiting.js';
import { RANK, type Segment } from './segment.js';

/** Looks before sleeping, if every rank has a core of its own, and if not. */
const LOOKS = 5000;
const LOOKS_CROWDED = 200;
/** Milliseconds between looks of a sleeping rank. Wake-ups do not depend on it. */
const CHECK_MS = 100;

export class Doorbell implements Rest {
  readonly mayBlock = threadMayBlock();
  readonly looks: number;
  readonly looksBetween = 0;
  readonly #segment: Segment;
  readonly #rank: number;
  readonly #bell: number;
  /** Value of the bell before the last look. */
  #value = 0;
  #sleepers = 0;

  constructor(segment: Segment, rank: number) {
    this.#segment = segment;
    this.#rank = rank;
    this.#bell = segment.rankWord(rank, RANK.doorbell);
    this.looks = segment.size > coreCount() ? LOOKS_CROWDED : LOOKS;
  }

  /**
   * Announces that the bell must be rung. The bell is read before the announcement and before the
   * last look: any later event changes it, and no sleep starts on a changed bell.
   */
  arm(): void {
    this.#sleepers++;
    this.#value = Atomics.load(this.#segment.words, this.#bell);
    this.#segment.store(this.#rank, RANK.parked, 1);
  }

  disarm(): void {
    if (--this.#sleepers === 0) this.#segment.store(this.#rank, RANK.parked, 0);
  }

  block(_waited: number, left: number): void {
    Atomics.wait(this.#segment.words, this.#bell, this.#value, Math.min(left + 1, CHECK_MS));
  }

  async pause(_waited: number, left: number): Promise<void> {
    const time = Math.min(left + 1, CHECK_MS);
    const { async, value } = Atomics.waitAsync(this.#segment.words, this.#bell, this.#value, time);
    if (!async) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    // The timer also keeps Node alive: a pending waitAsync alone does not.
    const pause = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, time);
    });
    await Promise.race([value, pause]);
    clearTimeout(timer);
  }
}
