/** Words of a group's area; area.ts tells what lies in it. */

import { type CapacityLimits, capacityFor, sharedBytes } from '../rounds/sizes.js';
import { RECORD_WORDS } from './failure-record.js';

export const AREA_HEADER_WORDS = 16;
/** Words of a member's line. */
export const LINE_WORDS = 16;

/** Bytes of a frame's payload. Measured: 100,000 numbers, which then take two rounds. */
export const LIMITS: CapacityLimits = { most: 1 << 19, least: 1 << 14, all: 1 << 23 };

/** Rounds up to whole lines of 16 words. */
export const roundUp = (words: number) => Math.ceil(words / 16) * 16;

/** Words of an area for `members` whose frames hold `capacity` bytes. */
export function areaWords(keyBytes: number, members: number, capacity: number): number {
  const head = AREA_HEADER_WORDS + RECORD_WORDS + roundUp(keyBytes / 4);
  return head + members * LINE_WORDS + sharedBytes(members, capacity) / 4;
}

/** Bytes of the area of the group of all `size` ranks. */
export function worldAreaBytes(size: number): number {
  return 4 * areaWords(64 + 8 * size, size, capacityFor(LIMITS, size));
}
