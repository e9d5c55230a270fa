/**
 * The frames of one group, in memory of this rank or in memory that all members share. The frame of
 * a member lies in its slot: a header of eight words, then the payload.
 *
 * If members see one another's slots, each has two, for even and odd rounds. Two are enough: a
 * member sends its frame of round k + 1 only after it has read the frames of round k. So a member
 * that has seen all frames of round k + 1 may overwrite its own frame of round k.
 */

import type { Reducer } from '../reducer.js';
import type { CopiedArray } from '../transport.js';
import { ASIDE_BYTES, Contributions } from './contributions.js';
import { ByKind, type Constructor } from './kinds.js';
import { HEADER_BYTES, slotBytes } from './sizes.js';

/** Word of a header that belongs to the carrier. */
export const CARRIER_WORD = 7;

/** Memory that frames lie in; views of it start at a multiple of 64. */
export interface FrameMemory {
  readonly bytes: Uint8Array<ArrayBufferLike>;
  readonly words: Int32Array<ArrayBufferLike>;
  /** Combines arrays in this memory; null: there is no WebAssembly for it. */
  readonly reduce: Reducer | null;
}

export interface FrameOptions {
  readonly member: number;
  readonly members: number;
  /** Bytes of payload that a frame can hold. */
  readonly capacity: number;
  /** Slots of a member. */
  readonly slots: 1 | 2;
  /** Bytes from one slot to the next. Default {@link slotBytes}. */
  readonly stride?: number;
}

export class Frames {
  readonly member: number;
  readonly members: number;
  readonly capacity: number;
  /** The words of all headers. */
  readonly words: Int32Array<ArrayBufferLike>;
  readonly #bytes: Uint8Array<ArrayBufferLike>;
  readonly #slotWords: number;
  readonly #slotMask: number;
  readonly #even: ByKind<Contributions>;
  readonly #odd: ByKind<Contributions>;
  #round = 0;

  constructor(memory: FrameMemory, options: FrameOptions) {
    const { member, members, capacity, slots } = options;
    this.member = member;
    this.members = members;
    this.capacity = capacity;
    this.words = memory.words;
    this.#bytes = memory.bytes;
    this.#slotWords = (options.stride ?? slotBytes(capacity)) / 4;
    this.#slotMask = slots - 1;
    const kinds = (round: number) =>
      new ByKind((kind, elementBytes) => {
        const views = this.#viewsOf(kind, elementBytes, round);
        // Once a round has arrived, nobody reads this member's frame of the round before; in a
        // rank's own memory all frames are its own by then.
        const room = slots === 1 ? views[0] : this.#viewsOf(kind, elementBytes, round + 1)[member];
        return new Contributions(views, room, slots === 1 ? room : asideOf(room), memory.reduce);
      });
    this.#even = kinds(0);
    this.#odd = slots === 1 ? this.#even : kinds(1);
  }

  /** Number of the round; it wraps around. */
  get round(): number {
    return this.#round;
  }

  /** Makes the own frame, written before, a frame of the round that begins. */
  turn(): void {
    this.#round = (this.#round + 1) | 0;
  }

  /** Place in {@link words} of the header that `member` sent. */
  headerWord(member: number): number {
    return this.#slotWord(member, this.#round);
  }

  /** Place in {@link words} of the header that is sent next. */
  get ownHeaderWord(): number {
    return this.#slotWord(this.member, this.#round + 1);
  }

  /** The first `length` bytes of payload that `member` sent. */
  payload(member: number, length: number): Uint8Array<ArrayBufferLike> {
    return this.#bytesAt(this.headerWord(member), length);
  }

  /** The first `length` bytes of payload that are sent next. */
  ownPayload(length: number): Uint8Array<ArrayBufferLike> {
    return this.#bytesAt(this.ownHeaderWord, length);
  }

  /** The payloads that the members sent, as arrays of the kind of `like`. */
  contributions(like: CopiedArray): Contributions {
    return ((this.#round & 1) === 0 ? this.#even : this.#odd).of(like);
  }

  /** The payload that is sent next, as an array of the kind of `like`: `length` elements. */
  ownArray(like: CopiedArray, length: number): CopiedArray {
    const next = (this.#round & 1) === 0 ? this.#odd : this.#even;
    return next.of(like).head(this.member, length);
  }

  /** The first `length` bytes of a slot, from its header on. */
  slot(member: number, length: number): Uint8Array<ArrayBufferLike> {
    const at = 4 * this.headerWord(member);
    return this.#bytes.subarray(at, at + length);
  }

  #slotWord(member: number, round: number): number {
    return ((round & this.#slotMask) * this.members + member) * this.#slotWords;
  }

  #bytesAt(headerWord: number, length: number): Uint8Array<ArrayBufferLike> {
    const at = 4 * headerWord + HEADER_BYTES;
    return this.#bytes.subarray(at, at + length);
  }

  #viewsOf(kind: Constructor, elementBytes: number, round: number): CopiedArray[] {
    const { buffer, byteOffset } = this.#bytes;
    const length = Math.floor(this.capacity / elementBytes);
    return Array.from({ length: this.members }, (_, m) => {
      const at = byteOffset + 4 * this.#slotWord(m, round) + HEADER_BYTES;
      return new kind(buffer, at, length);
    });
  }
}

/**
 * The end of the own next frame. Its beginning lies in lines of the cache that other ranks still
 * hold, and look at: a sum of 129 float64 written there takes 4 % longer, one of 257 8 %.
 */
function asideOf(room: CopiedArray): CopiedArray {
  return room.subarray(Math.max(0, room.length - ASIDE_BYTES / room.BYTES_PER_ELEMENT));
}
