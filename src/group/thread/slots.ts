/**
 * The data slots of one group as a member sees them. Views of them are kept, since making one takes as
 * long as copying 100 numbers.
 */

import { typeIndex } from '../fingerprint.js';
import type { Reducer } from '../reducer.js';
import type { CollectiveArray } from '../transport.js';
import { type GroupArea, SLOT_BYTES } from './area.js';

/** Constructor of views. */
type Kind = new (buffer: ArrayBufferLike, at: number, length: number) => CollectiveArray;

/** More than the lengths of a slot's views. */
const LENGTHS = 2 * SLOT_BYTES;
/** Views that are kept: models have few widths, programs that make them up have many. */
const MOST_VIEWS = 1024;

export class Slots {
  readonly members: number;
  /** This rank's place. */
  readonly member: number;
  /** Combines slots, in the members' order. */
  readonly reduce: Reducer;
  readonly #area: GroupArea;
  readonly #views = new Map<number, CollectiveArray>();
  /** All members' slots, by kind of array and parity. */
  readonly #all: CollectiveArray[][] = [];

  constructor(area: GroupArea, member: number) {
    this.members = area.ranks.length;
    this.member = member;
    this.reduce = area.segment.reducer;
    this.#area = area;
  }

  /** The first `length` elements of the slot of `member` for `step`, of `like`'s kind. */
  view(step: number, member: number, like: CollectiveArray, length: number): CollectiveArray {
    const place = (typeIndex(like) * 2 + (step & 1)) * this.members + member;
    const key = place * LENGTHS + length;
    let view = this.#views.get(key);
    if (view === undefined) {
      if (this.#views.size >= MOST_VIEWS) this.#views.clear();
      const at = this.#area.slotByte(member, step);
      view = new (like.constructor as Kind)(this.#area.words.buffer, at, length);
      this.#views.set(key, view);
    }
    return view;
  }

  /** All of the slots of all members for `step`, of `like`'s kind. */
  all(step: number, like: CollectiveArray): readonly CollectiveArray[] {
    const place = typeIndex(like) * 2 + (step & 1);
    this.#all[place] ??= this.#area.ranks.map((_, m) => {
      return this.view(step, m, like, SLOT_BYTES / like.BYTES_PER_ELEMENT);
    });
    return this.#all[place];
  }
}
