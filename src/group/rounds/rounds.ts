/**
 * The contract of a carrier: what moves the data of one group for one of its ranks.
 *
 * The ranks of a group meet in rounds. In a round every member gives one frame to each other member
 * and takes one from each; a frame is a header and a payload. The carrier brings the frames into
 * {@link Frames}; what stands in them, and what follows from it, is the transport's business. What
 * arrived in a round may be read until this member sends its next frame, and the own frame may be
 * written as soon as the round before it has arrived.
 */

import type { CopiedArray } from '../transport.js';
import type { Contributions } from './contributions.js';
import type { Frames } from './frames.js';

export interface Rounds {
  readonly frames: Frames;
  /** Rounds in which each member needs a part of an array alone; null: none. */
  readonly parts: PartRounds | null;
  /** Tells of members that will never send; null: nothing does, and deadlines end what waits. */
  readonly fate: Fate | null;
  /**
   * Sends this member's frame, with `bytes` of payload, to all.
   * @param most bytes of the longest payload in this round, if this member's is shorter
   */
  send(bytes: number, most: number): void;
  /** Whether the frames of all members have come. */
  arrived(): boolean;
  /** Members whose frame has not come. */
  missing(): number[];
  /** Gives everything back; this member takes part no more. */
  close(): void;
}

/** A group whose members have yet to meet. */
export interface Connection {
  /** That of the rounds, too. */
  readonly fate: Fate | null;
  /** The rounds, once all members have met. @throws Error when they want different groups */
  connect(): Rounds | null;
  /** Members that have not come. */
  missing(): number[];
  /** Gives everything back; this member comes no more. */
  close(): void;
}

/** How arrays are dealt out: member m is sent the m-th part (see parts.ts). */
export interface PartRounds {
  /** Bytes of the longest array. */
  readonly capacity: number;
  /** Sends member m the m-th part of `input`, and all members the same header. */
  send(input: CopiedArray): void;
  /** Once it has arrived: all members' numbers, like `like`, for this member's part of `count`. */
  contributions(like: CopiedArray, count: number): Contributions;
}

/** A collective, as errors describe it. */
export interface Described {
  describe(): string;
}

/** What a carrier knows of the members, beside their frames. */
export interface Fate {
  /**
   * Why no further frame will come, or null.
   * @param call the collective that this member is in, as errors describe it
   * @param waited milliseconds that it has been blocked for, if it is
   */
  lost(call: Described, waited: number): Error | null;
  /** Notes that this member blocks in its collective number `call`; 0: no longer. */
  block(call: number): void;
  /** Notes that this member awaits its collective number `call`; 0: no longer. */
  expect(call: number): void;
  /**
   * Whom a deadline that has passed is to be blamed on: ranks that stand still.
   * @param missing world ranks that this member waits for; they may wait themselves
   */
  blame(missing: readonly number[]): readonly number[];
  /** Notes that collective number `call` has been started behind others. */
  queue(call: number): void;
  /** Ends the group for all members. @returns why it has ended: the first reason stands */
  fail(text: string): string;
}
