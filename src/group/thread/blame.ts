/**
 * Finds the ranks that stand still when a deadline passes. A rank that is missing may itself wait
 * in another group, for a rank that is missing there; and a rank that has given up knows which rank
 * it had waited for. Only the ranks at the ends of such chains are to blame.
 */

import { CARRIER_WORD as ROUND } from '../rounds/frames.js';
import { GroupArea } from './area.js';
import { RANK, type Segment } from './segment.js';

/**
 * @param asking the rank whose deadline has passed
 * @param missing world ranks that it waits for
 * @returns world ranks in rising order; `missing` when all of them wait in a circle
 */
export function ranksToBlame(
  segment: Segment,
  asking: number,
  missing: readonly number[],
): readonly number[] {
  const seen = new Set([asking]);
  const found: number[] = [];
  const visit = (rank: number) => {
    if (seen.has(rank)) return;
    seen.add(rank);
    const others = waitsFor(segment, rank);
    if (others.length === 0) found.push(rank);
    for (const other of others) visit(other);
  };
  for (const rank of missing) visit(rank);
  return found.length === 0 ? missing : found.sort((a, b) => a - b);
}

/** World ranks that `rank` waits for now, or has waited for until it gave up. */
function waitsFor(segment: Segment, rank: number): number[] {
  const at = segment.load(rank, RANK.blockedArea) || segment.load(rank, RANK.awaitedArea);
  const behind = at === 0 ? [] : ranksBehind(segment, at, rank);
  if (behind.length > 0) return behind;
  const blamed = segment.load(rank, RANK.blamed);
  return blamed === 0 ? [] : [blamed - 1];
}

/** Finds members of the group whose area is at `at` that have sent fewer rounds than `rank`. */
function ranksBehind(segment: Segment, at: number, rank: number): number[] {
  try {
    const area = new GroupArea(segment, at);
    const own = roundOf(area, area.ranks.indexOf(rank));
    return area.ranks.filter((_, member) => roundOf(area, member) < own);
  } catch {
    // The group has just been destroyed, and its memory may be another's.
    return [];
  }
}

/** The latest round of its group in which a member has sent its frame. */
function roundOf(area: GroupArea, member: number): number {
  const words = [0, 1].map((round) => area.slotWord(member, round) + ROUND);
  return Math.max(...words.map((word) => Atomics.load(area.words, word)));
}
