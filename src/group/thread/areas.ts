/**
 * The list of areas in the segment, one after the other. An area that all members have left is
 * free: free neighbours become one area, and a later group takes it. Every change of the list is a
 * single store, so that a rank may end in the middle of a change.
 */

import { DeadlineError, RankFailedError } from '../../core/errors.js';
import { threadMayBlock } from '../may-block.js';
import { capacityFor } from '../rounds/sizes.js';
import { AREA, GroupArea } from './area.js';
import { areaWords, LIMITS } from './area-sizes.js';
import { RANK, type Segment, WORD_ALARMS, WORD_FREE, WORD_LOCK } from './segment.js';

/** A group takes this part of the free memory, if that is more than its least need. */
const SHARE = 1 / 64;
/** If a group would take more than this part, its frames hold no more than so many bytes. */
const MOST_SHARE = 1 / 4;
const MODEST_BYTES = 1 << 17;
/** Fewest words that make an area of their own. */
const CRUMB_WORDS = 1024;
/** Milliseconds between looks for memory that other ranks give back. */
const LOOK_MS = 10;

/** The group that a rank wants an area for. */
interface Wanted {
  readonly name: string;
  readonly ranks: readonly number[];
  readonly rank: number;
}

/**
 * Returns the area of the group `name` among `ranks` that `rank` has not left: the first member to
 * come makes it, the other members find it. Waits while groups that some members have left are
 * still to be left by their last members.
 * @throws RangeError when another rank holds the name with other ranks, or the segment is full
 * @throws DeadlineError when a rank that is behind does not leave its groups in time
 */
export function openArea(
  segment: Segment,
  name: string,
  ranks: readonly number[],
  rank: number,
): GroupArea {
  const wanted = { name, ranks, rank };
  const deadline = performance.now() + 1000 * segment.timeout;
  for (;;) {
    let found: GroupArea | string;
    let behind: number[] = [];
    takeLock(segment, rank);
    try {
      found = findArea(segment, wanted) ?? make(segment, wanted);
      if (typeof found === 'string') {
        behind = ranksBehind(segment, rank);
        // Ranks leave groups without the lock: all may have left theirs since the memory was full.
        if (behind.length === 0) found = make(segment, wanted);
      }
    } finally {
      Atomics.store(segment.words, WORD_LOCK, 0);
    }
    if (found instanceof GroupArea) return found;
    if (behind.length === 0 || !threadMayBlock()) throw new RangeError(found);
    if (performance.now() > deadline) {
      const whom = behind.join(', ');
      throw new DeadlineError(
        `${found}; rank ${rank} waited ${segment.timeout} s for rank ${whom} to leave groups`,
      );
    }
    Atomics.wait(segment.words, WORD_ALARMS, Atomics.load(segment.words, WORD_ALARMS), LOOK_MS);
  }
}

/** Makes the area. @returns the reason, if there is no room */
function make(segment: Segment, { name, ranks }: Wanted): GroupArea | string {
  // The key names a group for all ranks of the world.
  const key = JSON.stringify([name, ranks]);
  const keyBytes = new TextEncoder().encode(key).length;
  const wordsFor = (capacity: number) => areaWords(keyBytes, ranks.length, capacity);
  joinFree(segment);
  const left = wordsLeft(segment);
  const isWorld = ranks.length === segment.size && segment.words[WORD_FREE] === segment.firstArea;
  // The group of all ranks comes first and matters most.
  const share = left * (isWorld ? 1 : SHARE);
  let capacity = capacityFor(LIMITS, ranks.length);
  if (wordsFor(capacity) > left * MOST_SHARE) capacity = Math.min(capacity, MODEST_BYTES);
  while (capacity > LIMITS.least && wordsFor(capacity) > share) {
    capacity = Math.max(LIMITS.least, Math.floor(capacity / 128) * 64);
  }
  const needed = wordsFor(capacity);
  const at = takeFree(segment, needed);
  if (at !== null) return GroupArea.format(segment, at, key, ranks.length, capacity);
  return (
    `createGroup: group '${name}' needs ${4 * needed} bytes of shared memory in one piece, ` +
    `${4 * left} are left in all; destroy groups that are not needed, on all their members`
  );
}

/** Finds other ranks that have yet to leave a group which some member has left. */
function ranksBehind(segment: Segment, rank: number): number[] {
  const behind = new Set<number>();
  for (const at of areas(segment)) {
    if (isFree(segment, at) || Atomics.load(segment.words, at + AREA.left) === 0) continue;
    const area = new GroupArea(segment, at);
    const { ranks } = area;
    const staying = ranks.filter((_, member) => area.leftAs(member) === 0);
    // One that has left is counted a moment later, and frees the area only then.
    const left = Atomics.load(segment.words, at + AREA.left);
    for (const other of staying.length + left < ranks.length ? ranks : staying) {
      if (other !== rank && segment.load(other, RANK.exited) === 0) behind.add(other);
    }
  }
  return [...behind].sort((a, b) => a - b);
}

function findArea(segment: Segment, { name, ranks, rank }: Wanted): GroupArea | null {
  const { words } = segment;
  let found: GroupArea | null = null;
  for (const at of areas(segment)) {
    if (isFree(segment, at)) continue;
    const area = new GroupArea(segment, at);
    const member = area.ranks.indexOf(rank);
    // A member list without this rank may be an older group that this rank was never in.
    if (area.name !== name || member < 0 || area.leftAs(member) > 0) continue;
    if (found === null || words[at + AREA.born] < words[found.at + AREA.born]) found = area;
  }
  if (found === null || found.ranks.join() === ranks.join()) return found;
  throw new RangeError(
    `createGroup: another rank made group '${name}' with ranks ${found.ranks.join(', ')}, ` +
      `this rank asks for ranks ${ranks.join(', ')}`,
  );
}

/** First words of all areas. */
function* areas(segment: Segment): Generator<number> {
  const { words } = segment;
  for (let at = segment.firstArea; at < words[WORD_FREE]; at += words[at + AREA.words]) yield at;
}

function isFree({ words }: Segment, at: number): boolean {
  return Atomics.load(words, at + AREA.left) === words[at + AREA.members];
}

/** Joins free neighbours into one area, and gives the free areas at the end back. */
function joinFree(segment: Segment): void {
  const { words } = segment;
  for (const at of areas(segment)) {
    if (!isFree(segment, at)) continue;
    let next = at + words[at + AREA.words];
    while (next < words[WORD_FREE] && isFree(segment, next)) {
      words[at + AREA.words] += words[next + AREA.words];
      next = at + words[at + AREA.words];
    }
    if (next === words[WORD_FREE]) words[WORD_FREE] = at;
  }
}

/** Words that no group has. */
function wordsLeft(segment: Segment): number {
  const { words } = segment;
  let left = words.length - words[WORD_FREE];
  for (const at of areas(segment)) if (isFree(segment, at)) left += words[at + AREA.words];
  return left;
}

/** Takes `needed` words from a free area, or from the end of the list; null: there are none. */
function takeFree(segment: Segment, needed: number): number | null {
  const { words } = segment;
  for (const at of areas(segment)) {
    const rest = words[at + AREA.words] - needed;
    if (!isFree(segment, at) || rest < 0) continue;
    if (rest >= CRUMB_WORDS) {
      writeFree(segment, at + needed, rest);
      words[at + AREA.words] = needed;
    }
    return at;
  }
  const at = words[WORD_FREE];
  if (at + needed > words.length) return null;
  writeFree(segment, at, needed);
  words[WORD_FREE] = at + needed;
  return at;
}

function writeFree({ words }: Segment, at: number, length: number): void {
  words[at + AREA.words] = length;
  words[at + AREA.members] = 0;
  words[at + AREA.left] = 0;
}

/** Takes the lock of the list. Held for microseconds: making groups is rare. */
function takeLock(segment: Segment, rank: number): void {
  const { words } = segment;
  const deadline = performance.now() + 1000 * segment.timeout;
  for (;;) {
    const owner = Atomics.compareExchange(words, WORD_LOCK, 0, rank + 1) - 1;
    if (owner < 0) return;
    const failure = segment.failure.read();
    if (failure !== null) throw new RankFailedError(failure.rank, failure.text);
    // A rank that ends while it holds the lock leaves a list in order.
    if (segment.load(owner, RANK.exited) !== 0) {
      Atomics.compareExchange(words, WORD_LOCK, owner + 1, 0);
    } else if (performance.now() > deadline) {
      throw new DeadlineError(
        `createGroup: rank ${rank} waited ${segment.timeout} s for rank ${owner} to make a group`,
      );
    }
  }
}
