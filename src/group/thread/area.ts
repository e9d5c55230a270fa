/**
 * A group's place in the segment: its members, a line and two slots for each.
 *
 *     header | failure record | key (name and ranks) | lines of the members | slots
 *
 * areas.ts has the list of all areas.
 */

import type { FrameMemory } from '../rounds/frames.js';
import { HEADER_BYTES, sharedBytes, slotBytes } from '../rounds/sizes.js';
import { AREA_HEADER_WORDS, LINE_WORDS, roundUp } from './area-sizes.js';
import { FailureRecord, RECORD_WORDS, readText, writeText } from './failure-record.js';
import { type Segment, WORD_BORN } from './segment.js';
import { reducerOf } from './segment-reducer.js';

/** Words of an area's header. */
export const AREA = {
  /** Words of the whole area. */
  words: 0,
  keyBytes: 1,
  members: 2,
  /** Members that have left; if all have, the area is free. */
  left: 3,
  /** Bytes of payload of a frame. */
  capacity: 4,
  /** Counts the areas that were made: of two groups of one name, members meet in the older. */
  born: 5,
} as const;

/** Words of a member's line. */
export const LINE = {
  /** The member's place among all who left anything in this world; 0: it is in the group. */
  left: 0,
  /** Number of the latest collective that was queued behind others. */
  queued: 1,
} as const;

export class GroupArea {
  readonly segment: Segment;
  readonly words: Int32Array;
  /** Index of the area's first word; names the group for blocked ranks. */
  readonly at: number;
  readonly name: string;
  /** World ranks, by group rank. */
  readonly ranks: readonly number[];
  /** Reason why the group can no longer be used, if so. */
  readonly failure: FailureRecord;
  /** Bytes of payload of a frame. */
  readonly capacity: number;
  readonly #lines: number;

  /** Views the area at word `at`, which is in use. */
  constructor(segment: Segment, at: number) {
    this.segment = segment;
    this.words = segment.words;
    this.at = at;
    const keyAt = at + AREA_HEADER_WORDS + RECORD_WORDS;
    const keyBytes = this.words[at + AREA.keyBytes];
    [this.name, this.ranks] = JSON.parse(readText(this.words, keyAt, keyBytes));
    this.failure = new FailureRecord(this.words, at + AREA_HEADER_WORDS);
    this.capacity = this.words[at + AREA.capacity];
    this.#lines = keyAt + roundUp(keyBytes / 4);
  }

  /** Index of a word of a member's line. */
  lineWord(member: number, word: number): number {
    return this.#lines + member * LINE_WORDS + word;
  }

  /** Makes an area of free words, for a group that nobody has joined yet. */
  static format(
    segment: Segment,
    at: number,
    key: string,
    members: number,
    capacity: number,
  ): GroupArea {
    const { words } = segment;
    const keyAt = at + AREA_HEADER_WORDS + RECORD_WORDS;
    // Until the number of members says otherwise, the area is free: this rank may end on the way.
    words[at + AREA.members] = 0;
    words[at + AREA.left] = 0;
    words[at + AREA.keyBytes] = writeText(words, keyAt, 4 * words.length, key);
    words[at + AREA.capacity] = capacity;
    words[at + AREA.born] = ++words[WORD_BORN];
    const area = new GroupArea(segment, at);
    area.failure.clear();
    words.fill(0, area.lineWord(0, 0), area.lineWord(members, 0));
    // Nobody reads a frame before it was sent, but its header tells if it was.
    for (let slot = 0; slot < 2 * members; slot++) {
      const header = area.lineWord(members, 0) + (slot * slotBytes(capacity)) / 4;
      words.fill(0, header, header + HEADER_BYTES / 4);
    }
    Atomics.store(words, at + AREA.members, members);
    return area;
  }

  /** 0 while `member` is in the group; else its place among all who left, by the world's count. */
  leftAs(member: number): number {
    return Atomics.load(this.words, this.lineWord(member, LINE.left));
  }

  /** Index of the first word of the slot of `member` for rounds with the last bit of `round`. */
  slotWord(member: number, round: number): number {
    const { length } = this.ranks;
    const place = (round & 1) * length + member;
    return this.lineWord(length, 0) + (place * slotBytes(this.capacity)) / 4;
  }

  /** The slots of all members. */
  get memory(): FrameMemory {
    const { buffer } = this.words;
    const at = 4 * this.slotWord(0, 0);
    const bytes = sharedBytes(this.ranks.length, this.capacity);
    return {
      bytes: new Uint8Array(buffer, at, bytes),
      words: new Int32Array(buffer, at, bytes / 4),
      reduce: reducerOf(this.segment),
    };
  }

  /** Raises the alarm, and wakes the members that sleep, except `except`. */
  ringMembers(except: number): void {
    this.segment.raiseAlarm();
    for (const rank of this.ranks) if (rank !== except) this.segment.ring(rank);
  }

  /** Takes `member` out; the last member to leave frees the area. */
  leave(member: number): void {
    const rank = this.ranks[member];
    Atomics.store(this.words, this.lineWord(member, LINE.left), this.segment.nextLeave());
    Atomics.add(this.words, this.at + AREA.left, 1);
    this.ringMembers(rank);
  }
}
