/**
 * The frames that the ranks of one group give one another: in a round, every rank gives one frame
 * to each other rank and takes one from each. A frame is a header and up to `capacity` bytes of
 * payload. They travel as messages, or lie in memory that the ranks share; who uses them need not
 * know which.
 *
 * What arrived in a round may be read until the next is sent. The own frame may be written as soon
 * as the last round has arrived.
 */

import type { CollectiveArray } from '../transport.js';
import type { Blocks } from './contributions.js';

/** Bytes of a header: eight Int32. */
export const HEADER_BYTES = 32;
/** Word of a header that belongs to the frames themselves. */
export const OWN_WORD = 7;

/** Something that a rank waits for. */
export interface Arrival {
  /** Whether all of it is there. */
  arrived(): boolean;
}

export interface Frames extends Arrival {
  readonly members: number;
  readonly member: number;
  /** Bytes of payload that a frame can hold. */
  readonly capacity: number;
  /** Bytes of payload that arrive together with the header. */
  readonly noteCapacity: number;
  /** Bytes of an array that {@link sendParts} can deal out. */
  readonly partsCapacity: number;
  /** The words of all headers. */
  readonly words: Int32Array;

  /** Where the header that `member` sent starts in {@link words}. */
  headerWord(member: number): number;
  /** The first `length` bytes of what `member` sent. */
  payloadBytes(member: number, length: number): Uint8Array;
  /** What the members sent, as arrays of the kind of `like`, `capacity` bytes each. */
  payloads(like: CollectiveArray): readonly CollectiveArray[];
  /** The same, to be combined. */
  blocks(like: CollectiveArray): Blocks;
  /** After {@link sendParts} of `input`: every member's numbers for this member's part of it. */
  partBlocks(input: CollectiveArray): Blocks;

  /** Where the header that is sent next starts in {@link words}. */
  readonly ownHeaderWord: number;
  /** The first `length` bytes of payload that are sent next. */
  ownBytes(length: number): Uint8Array;
  /** The payload that is sent next, as an array of the kind of `like`. */
  ownPayload(like: CollectiveArray): CollectiveArray;

  /**
   * Sends this member's frame, with `bytes` of payload, to all. Until {@link watchAll}, the headers
   * are enough to have {@link arrived}: others may send fewer.
   * @param most bytes of the longest payload in this round, if this member's is shorter
   */
  sendToAll(bytes: number, most?: number): void;
  /** Sends member m the m-th part of `input`, and all the same header. */
  sendParts(input: CollectiveArray): void;
  /** Lets {@link arrived} wait for the whole frames. @returns whether it has to */
  watchAll(): boolean;
  /**
   * All do so when headers differ, so that nothing is left half sent.
   * @returns whether there is anything to wait for
   */
  level(): boolean;
  /** Members whose frame has not come. Ends the use of these frames: it takes what has. */
  missing(): number[];
  /** Gives everything back. Nothing may be under way. */
  close(): void;
}
