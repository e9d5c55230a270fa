/**
 * The contract of a carrier, which moves the data of one group for one of its ranks.
 *
 * The ranks of a group meet in rounds. In a round every member gives one frame to each other member
 * and takes one from each; a frame is a header and a payload. The carrier brings the frames into
 * {@link Frames}; their contents and consequences are the transport's business. The frames that
 * arrived in a round may be read until this member sends its next frame. The own frame may be
 * written as soon as the round before it has arrived.
 */

import type { Collective, CopiedArray } from '../transport.js';
import type { Frames } from './frames.js';

export interface Rounds {
  readonly frames: Frames;
  /** Rounds in which each member needs only a part of an array; null: none. */
  readonly parts: PartRounds | null;
  /** Tells of members that will never send; null: nothing tells, and deadlines end all waits. */
  readonly fate: Fate | null;
  /**
   * Sends this member's frame, with `bytes` of payload, to all.
   * @param most bytes of the longest payload in this round, if this member's is shorter
   */
  send(bytes: number, most: number): void;
  /** True once the frames of all members have come. */
  arrived(): boolean;
  /** Members whose frame has not come. */
  missing(): number[];
  /** Gives everything back; this member takes no further part. */
  close(): void;
}

/** A group whose members have yet to meet. */
export interface Connection {
  /** The fate of the rounds, too. */
  readonly fate: Fate | null;
  /** Returns the rounds, once all members have met. @throws Error if they want different groups */
  connect(): Rounds | null;
  /** Members that have not come. */
  missing(): number[];
  /** Gives everything back; this member comes no more. */
  close(): void;
}

/** A collective's further rounds, after the first. */
export interface Exchange {
  readonly rounds: Rounds;
  readonly call: Collective;
  /** Elements that each rank gives. */
  readonly count: number;
  /** Sends this member's frame by `send`, and ends when all have come and none has failed. */
  round(send: () => void): Generator<void>;
  /** Runs `take`; if it fails, so does the next round on all members. */
  take(take: () => void): void;
}

/** Sums and averages that divide arrays: member m combines the m-th part (see parts.ts). */
export interface PartRounds {
  /** Bytes of the longest array that {@link send} takes. */
  readonly capacity: number;
  /** Sends each member its part of `input`, and all members the same header. */
  send(input: CopiedArray): void;
  /** The further rounds of an all-reduce whose first round was sent by {@link send}. */
  finish(exchange: Exchange): Generator<void>;
  /** The further rounds of a longer all-reduce, or of that of a list. */
  combine(exchange: Exchange): Generator<void>;
}

/** A collective, as errors describe it. */
export interface Described {
  describe(): string;
}

/** A carrier's knowledge of the members, besides their frames. */
export interface Fate {
  /**
   * Returns the reason why no further frame will come, or null.
   * @param call the collective that this member is in, as errors describe it
   * @param waited milliseconds that it has been blocked for, if it is
   */
  lost(call: Described, waited: number): Error | null;
  /** Notes that this member blocks in its collective number `call`; 0: no longer. */
  block(call: number): void;
  /** Notes that this member awaits its collective number `call`; 0: no longer. */
  expect(call: number): void;
  /**
   * Finds the ranks to blame for a deadline that has passed: ranks that stand still.
   * @param missing world ranks that this member waits for; they may wait themselves
   */
  blame(missing: readonly number[]): readonly number[];
  /** Notes that a call of this member failed for that world rank: it may leave, and others ask. */
  failedFor(rank: number): void;
  /** Notes that collective number `call` has been queued behind others. */
  queue(call: number): void;
  /** Ends the group for all members. @returns the reason of its end: the first one stands */
  fail(text: string): string;
}
