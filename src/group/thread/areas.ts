/**
 * The list of areas in the segment, one behind the other. One that all members have left is free:
 * free neighbours become one area, and a later group takes it. Every change of the list is a single
 * store, so that a rank may end in the middle of one.
 */

import { DeadlineError, RankFailedError } from '../../core/errors.js';
import { capacityFor } from '../rounds/sizes.js';
import { AREA, GroupArea } from './area.js';
import { areaWords, LIMITS } from './area-sizes.js';
import { RANK, type Segment, WORD_FREE, WORD_LOCK } from './segment.js';

/** A group takes this part of the free memory, if that is more than it needs at least. */
const SHARE = 1 / 64;
/** Words that are no area of their own. */
const CRUMB_WORDS = 1024;

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
  return withLock(segment, rank, () => {
    const found = findArea(segment, name, ranks, rank);
    if (found !== null) return found;
    // What names a group for all ranks of the world.
    const key = JSON.stringify([name, ranks]);
    const keyBytes = new TextEncoder().encode(key).length;
    const wordsFor = (capacity: number) => areaWords(keyBytes, ranks.length, capacity);
    joinFree(segment);
    const isWorld = ranks.length === segment.size && segment.words[WORD_FREE] === segment.firstArea;
    // The group of all comes first and matters most.
    const share = wordsLeft(segment) * (isWorld ? 1 : SHARE);
    let capacity = capacityFor(LIMITS, ranks.length);
    while (capacity > LIMITS.least && wordsFor(capacity) > share) {
      capacity = Math.max(LIMITS.least, Math.floor(capacity / 128) * 64);
    }
    const at = takeFree(segment, wordsFor(capacity), name);
    return GroupArea.format(segment, at, key, ranks.length, capacity);
  });
}

function findArea(
  segment: Segment,
  name: string,
  ranks: readonly number[],
  rank: number,
): GroupArea | null {
  for (const at of areas(segment)) {
    if (isFree(segment, at)) continue;
    const area = new GroupArea(segment, at);
    const member = area.ranks.indexOf(rank);
    if (area.name !== name || (member >= 0 && area.hasLeft(member))) continue;
    if (area.ranks.join() === ranks.join()) return area;
    // A member list without this rank may be an older group that this rank was never in.
    if (member >= 0) {
      throw new RangeError(
        `createGroup: another rank made group '${name}' with ranks ${area.ranks.join(', ')}, ` +
          `this rank asks for ranks ${ranks.join(', ')}`,
      );
    }
  }
  return null;
}

/** First words of all areas. */
function* areas(segment: Segment): Generator<number> {
  const { words } = segment;
  for (let at = segment.firstArea; at < words[WORD_FREE]; at += words[at + AREA.words]) yield at;
}

function isFree({ words }: Segment, at: number): boolean {
  return Atomics.load(words, at + AREA.left) === words[at + AREA.members];
}

/** Makes one area of free neighbours, and of the last ones none. */
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

/** Takes `needed` words from a free area, or from the end of the list. */
function takeFree(segment: Segment, needed: number, name: string): number {
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
  if (at + needed > words.length) {
    throw new RangeError(
      `createGroup: group '${name}' needs ${needed * 4} bytes of shared memory, ` +
        `${(words.length - at) * 4} are left; destroy groups that are not needed, ` +
        'or start the world with a larger areaBytes',
    );
  }
  writeFree(segment, at, needed);
  words[WORD_FREE] = at + needed;
  return at;
}

function writeFree({ words }: Segment, at: number, length: number): void {
  words[at + AREA.words] = length;
  words[at + AREA.members] = 0;
  words[at + AREA.left] = 0;
}

/** Runs `action` alone among the ranks. Held for microseconds: making groups is rare. */
function withLock<T>(segment: Segment, rank: number, action: () => T): T {
  const { words } = segment;
  const deadline = performance.now() + 1000 * segment.timeout;
  for (let owner = lock(words, rank); owner >= 0; owner = lock(words, rank)) {
    const failure = segment.failure.read();
    if (failure !== null) throw new RankFailedError(failure.rank, failure.text);
    // What a rank leaves behind that ends with the lock is a list in order.
    if (segment.load(owner, RANK.exited) !== 0) {
      Atomics.compareExchange(words, WORD_LOCK, owner + 1, 0);
    } else if (performance.now() > deadline) {
      throw new DeadlineError(
        `createGroup: rank ${rank} waited ${segment.timeout} s for rank ${owner} to make a group`,
      );
    }
  }
  try {
    return action();
  } finally {
    Atomics.store(words, WORD_LOCK, 0);
  }
}

/** @returns the rank that holds the lock, or -1: this one does now */
function lock(words: Int32Array, rank: number): number {
  return Atomics.compareExchange(words, WORD_LOCK, 0, rank + 1) - 1;
}
