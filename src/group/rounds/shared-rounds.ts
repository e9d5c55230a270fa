/**
 * Rounds in memory that all members share. A member writes its frame into its slot and then the
 * number of the round into the header; the other members look for that number. It stands beside the
 * data that it announces, so that a short frame is in the same cache lines.
 */

import { copy } from './contributions.js';
import { type FrameMemory, Frames, CARRIER_WORD as ROUND } from './frames.js';
import { combineLong, combineShared, STEP } from './lists.js';
import type { Fate, PartRounds, Rounds } from './rounds.js';

export interface SharedOptions {
  readonly member: number;
  readonly members: number;
  /** Bytes of payload that a frame can hold. */
  readonly capacity: number;
}

export class SharedRounds implements Rounds {
  readonly frames: Frames;
  readonly parts: PartRounds;
  readonly fate: Fate | null = null;
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #free: () => void;
  /** Members whose frame of this round has been seen, in rank order. */
  #seen: number;

  /**
   * @param memory of `sharedBytes`; no header in it has the number of a round yet
   * @param free gives the memory back; other members keep their view of it
   */
  constructor(memory: FrameMemory, options: SharedOptions, free: () => void) {
    const { members, capacity } = options;
    this.frames = new Frames(memory, { ...options, slots: 2 });
    this.#words = memory.words;
    this.#free = free;
    this.#seen = members;
    this.parts = {
      capacity,
      // All of `input` goes to all members: each reads only its own part.
      send: (input) => {
        copy(this.frames.ownArray(input, input.length), 0, input);
        this.send();
      },
      // One piece: all of the array.
      finish: (exchange) => combineShared(exchange, exchange.count + STEP, true),
      combine: combineLong,
    };
  }

  /** Lengths need not be sent: members read no more of the frame than the headers say. */
  send(): void {
    const { frames } = this;
    const own = frames.ownHeaderWord;
    frames.turn();
    this.#seen = 0;
    Atomics.store(this.#words, own + ROUND, frames.round);
  }

  arrived(): boolean {
    const { members, member } = this.frames;
    while (this.#seen < members) {
      if (this.#seen !== member && !this.hasCome(this.#seen)) return false;
      this.#seen++;
    }
    return true;
  }

  missing(): number[] {
    const all = Array.from({ length: this.frames.members }, (_, m) => m);
    return all.filter((m) => !this.hasCome(m));
  }

  close(): void {
    this.#free();
  }

  /** True if the frame of `member` has come; also true before the first round. */
  hasCome(member: number): boolean {
    const { frames } = this;
    return Atomics.load(this.#words, frames.headerWord(member) + ROUND) === frames.round;
  }
}
