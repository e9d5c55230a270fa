/**
 * The data slots of one group as a member sees them: views by kind of array, parity of the step and
 * member. Views are made once and kept, since making one costs as much as copying 100 numbers.
 */

import { typeIndex } from '../fingerprint.js';
import type { Reducer } from '../reducer.js';
import type { CollectiveArray } from '../transport.js';
import { type GroupArea, SLOT_BYTES } from './area.js';

/** Constructors of views, by their place in fingerprints. */
const KINDS: readonly (new (
  buffer: ArrayBufferLike,
  at: number,
  length: number,
) => CollectiveArray)[] = [Float64Array, Float32Array, Int32Array];

const BYTES = [8, 4, 4];

/** Lengths whose views a slot keeps, a power of two; others that fall on the same place replace them. */
const FRONTS = 16;
/** Spreads lengths over the places: the multiplier of Knuth's multiplicative hashing. */
const SPREAD = 0x9e3779b1;

/** One slot. */
export class Slot {
  /** All of it. */
  readonly whole: CollectiveArray;
  readonly #fronts: CollectiveArray[];

  constructor(whole: CollectiveArray) {
    this.whole = whole;
    this.#fronts = new Array(FRONTS).fill(whole);
  }

  /** Its first `length` elements. */
  front(length: number): CollectiveArray {
    const place = Math.imul(length, SPREAD) >>> 28;
    let front = this.#fronts[place];
    if (front.length !== length) {
      front = this.whole.subarray(0, length);
      this.#fronts[place] = front;
    }
    return front;
  }
}

export class Slots {
  readonly members: number;
  /** This rank's place. */
  readonly member: number;
  /** Combines slots, in the members' order. */
  readonly reduce: Reducer;
  readonly #area: GroupArea;
  /** By kind of array and parity. */
  readonly #slots: Slot[][] = [];
  readonly #wholes: CollectiveArray[][] = [];

  constructor(area: GroupArea, member: number) {
    this.members = area.ranks.length;
    this.member = member;
    this.reduce = area.segment.reducer;
    this.#area = area;
  }

  /** The slot of `member` for `step`, viewed as elements of `like`'s kind. */
  slot(step: number, member: number, like: CollectiveArray): Slot {
    const place = 2 * typeIndex(like) + (step & 1);
    return (this.#slots[place] ?? this.#view(place))[member];
  }

  /** All members' slots. */
  wholes(step: number, like: CollectiveArray): readonly CollectiveArray[] {
    const place = 2 * typeIndex(like) + (step & 1);
    if (this.#wholes[place] === undefined) this.#view(place);
    return this.#wholes[place];
  }

  #view(place: number): Slot[] {
    const kind = KINDS[place >> 1];
    const wholes = this.#area.ranks.map((_, member) => {
      const at = this.#area.slotByte(member, place & 1);
      return new kind(this.#area.words.buffer, at, SLOT_BYTES / BYTES[place >> 1]);
    });
    this.#wholes[place] = wholes;
    this.#slots[place] = wholes.map((whole) => new Slot(whole));
    return this.#slots[place];
  }
}
