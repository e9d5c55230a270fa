/**
 * A group's place in the segment: who its members are, a control line and two data slots each.
 *
 *     header | failure record | key (name and ranks) | lines of the members | slots
 *
 * Areas form a list that only grows; an area that every member has left is taken again by a later
 * group that fits. Two slots a member suffice: a rank publishes step k + 1 only after it has read
 * step k, so whoever publishes k + 2 knows that all have read k.
 */

import { FailureRecord, RECORD_WORDS, readText, writeText } from './failure-record.js';
import { type Segment, WORD_FREE, WORD_LOCK } from './segment.js';

const AREA = {
  /** Words of the whole area; 0 in front of the first free word. */
  capacity: 0,
  keyBytes: 1,
  members: 2,
  /** Members that have left; all of them: the area is free. */
  left: 3,
} as const;
const AREA_HEADER_WORDS = 16;

/** Words of a member's line. */
export const LINE = {
  /** Number of the last step whose data the member has published. */
  arrived: 0,
  /** Number of the last collective that the member has started. */
  started: 1,
  left: 2,
  /** Descriptor of a step's collective, one for each parity. */
  descriptor: 4,
} as const;

/** Words of a descriptor. */
export const DESCRIPTOR = { code: 0, count: 1, call: 2, labelHash: 3, labelBytes: 4 } as const;
export const DESCRIPTOR_WORDS = 5;

/** Bytes kept of a label, for messages; the fingerprint covers all of it. */
export const LABEL_BYTES = 96;
/** Words before the first label: line.descriptor + two descriptors, rounded to a cache line. */
const LABEL_AT = 16;
const LINE_WORDS = LABEL_AT + (2 * LABEL_BYTES) / 4;

/** Bytes of one data slot: in cache, and long enough that a step's latency does not show. */
export const SLOT_BYTES = 65536;

const roundUp = (words: number) => Math.ceil(words / 16) * 16;

function areaWords(keyBytes: number, members: number): number {
  const head = AREA_HEADER_WORDS + RECORD_WORDS + roundUp(keyBytes / 4);
  return head + members * (LINE_WORDS + (2 * SLOT_BYTES) / 4);
}

/** What names a group for all ranks of the world. */
function keyOf(name: string, ranks: readonly number[]): string {
  return JSON.stringify([name, ranks]);
}

export class GroupArea {
  readonly segment: Segment;
  readonly words: Int32Array;
  /** Index of the area's first word; names the group for blocked ranks. */
  readonly at: number;
  readonly name: string;
  /** World ranks, by group rank. */
  readonly ranks: readonly number[];
  /** Why the group can be used no longer, if so. */
  readonly failure: FailureRecord;
  readonly #lines: number;
  readonly #slots: number;

  /** Views the area at word `at`, which is in use. */
  constructor(segment: Segment, at: number) {
    this.segment = segment;
    this.words = segment.words;
    this.at = at;
    const keyBytes = this.words[at + AREA.keyBytes];
    const members = this.words[at + AREA.members];
    const keyAt = at + AREA_HEADER_WORDS + RECORD_WORDS;
    [this.name, this.ranks] = JSON.parse(readText(this.words, keyAt, keyBytes));
    this.failure = new FailureRecord(this.words, at + AREA_HEADER_WORDS);
    this.#lines = keyAt + roundUp(keyBytes / 4);
    this.#slots = this.#lines + members * LINE_WORDS;
  }

  /** Index of a word of a member's line. */
  lineWord(member: number, word: number): number {
    return this.#lines + member * LINE_WORDS + word;
  }

  /** Index of the first word of the descriptor of a step. */
  descriptorWord(member: number, step: number): number {
    return this.lineWord(member, LINE.descriptor + (step & 1) * DESCRIPTOR_WORDS);
  }

  /** Index of the first word of the label of a step. */
  labelWord(member: number, step: number): number {
    return this.lineWord(member, LABEL_AT + ((step & 1) * LABEL_BYTES) / 4);
  }

  /** Byte offset in the segment of a member's slot for a step. */
  slotByte(member: number, step: number): number {
    return this.#slots * 4 + (member * 2 + (step & 1)) * SLOT_BYTES;
  }

  /** Raises the alarm, and wakes the members that sleep, but for `except`. */
  ringMembers(except: number): void {
    this.segment.raiseAlarm();
    for (const rank of this.ranks) if (rank !== except) this.segment.ring(rank);
  }

  /** Takes `member` out; the last one frees the area. */
  leave(member: number): void {
    withLock(this.segment, () => {
      Atomics.store(this.words, this.lineWord(member, LINE.left), 1);
      this.words[this.at + AREA.left]++;
    });
  }
}

/**
 * The area of the group `name` among `ranks` that `rank` has not left: the first member to come
 * makes it, the others find it.
 * @throws RangeError when another rank holds the name with other ranks, or the segment is full
 */
export function openArea(
  segment: Segment,
  name: string,
  ranks: readonly number[],
  rank: number,
): GroupArea {
  return withLock(segment, () => {
    let reusable = -1;
    const needed = areaWords(new TextEncoder().encode(keyOf(name, ranks)).length, ranks.length);
    for (const at of areas(segment)) {
      const { words } = segment;
      if (words[at + AREA.left] === words[at + AREA.members]) {
        if (words[at + AREA.capacity] >= needed && reusable < 0) reusable = at;
        continue;
      }
      const area = new GroupArea(segment, at);
      if (area.name !== name || hasLeft(area, rank)) continue;
      if (area.ranks.join() === ranks.join()) return area;
      // A member list without this rank may be an older group that this rank was never in.
      if (area.ranks.includes(rank)) throw new RangeError(takenMessage(area, ranks));
    }
    const at = reusable >= 0 ? reusable : extend(segment, needed, name);
    return format(segment, at, name, ranks);
  });
}

/** First words of all areas. */
export function* areas(segment: Segment): Generator<number> {
  const { words } = segment;
  const first = segment.rankWord(segment.size, 0);
  const end = words[WORD_FREE];
  for (let at = first; at < end; at += words[at + AREA.capacity]) yield at;
}

function hasLeft(area: GroupArea, rank: number): boolean {
  const member = area.ranks.indexOf(rank);
  return member >= 0 && area.words[area.lineWord(member, LINE.left)] === 1;
}

function takenMessage(area: GroupArea, ranks: readonly number[]): string {
  return (
    `createGroup: another rank made group '${area.name}' with ranks ${area.ranks.join(', ')}, ` +
    `this rank asks for ranks ${ranks.join(', ')}`
  );
}

/** Takes `needed` words at the end of the list. */
function extend(segment: Segment, needed: number, name: string): number {
  const { words } = segment;
  const at = words[WORD_FREE];
  if (at + needed > words.length) {
    throw new RangeError(
      `createGroup: group '${name}' needs ${needed * 4} bytes of shared memory, ` +
        `${(words.length - at) * 4} are left; destroy groups that are not needed, ` +
        'or start the world with a larger areaBytes',
    );
  }
  words[at + AREA.capacity] = needed;
  words[WORD_FREE] = at + needed;
  return at;
}

function format(segment: Segment, at: number, name: string, ranks: readonly number[]): GroupArea {
  const { words } = segment;
  const keyAt = at + AREA_HEADER_WORDS + RECORD_WORDS;
  words[at + AREA.keyBytes] = writeText(words, keyAt, 4 * words.length, keyOf(name, ranks));
  words[at + AREA.members] = ranks.length;
  words[at + AREA.left] = 0;
  const area = new GroupArea(segment, at);
  area.failure.clear();
  // The slots need no clearing: nobody reads one before it was written.
  words.fill(0, area.lineWord(0, 0), area.lineWord(ranks.length, 0));
  return area;
}

/** Runs `action` alone among the ranks. Held for microseconds: making groups is rare. */
function withLock<T>(segment: Segment, action: () => T): T {
  const { words } = segment;
  while (Atomics.compareExchange(words, WORD_LOCK, 0, 1) !== 0) {
    // A rank that dies with the lock has failed the world, so nobody spins here for ever.
    const failure = segment.failure.read();
    if (failure !== null) throw new Error(failure.text);
  }
  try {
    return action();
  } finally {
    Atomics.store(words, WORD_LOCK, 0);
  }
}
