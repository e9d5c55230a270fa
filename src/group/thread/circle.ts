/**
 * Finds ranks that wait for one another in a circle, such as one rank in a collective of the group
 * [0, 1] and another in one of the world. No deadline need pass to know that they never end.
 *
 * A blocked rank waits for every member of its group that has not started the collective; only
 * that member's own program can start it, and that is blocked too. The search runs twice: a circle
 * whose ranks are blocked in the same waits at both times held at the moment between them.
 */

import { SEQUENCE } from '../rounds/header.js';
import { GroupArea, LINE } from './area.js';
import { RANK, type Segment } from './segment.js';

interface Edge {
  readonly rank: number;
  readonly waitsFor: number;
  readonly epoch: number;
  readonly area: GroupArea;
  readonly call: number;
}

/** Ranks that wait for one another. */
export interface Circle {
  /** Names all ranks of the circle; the same text on each of them. */
  readonly text: string;
  /** The groups that they wait in; none of them can go on. */
  readonly areas: readonly GroupArea[];
}

/** Finds a circle which `rank` is in or waits for, or null. */
export function findCircle(segment: Segment, rank: number): Circle | null {
  const found = search(segment, rank, []);
  if (found === null || !found.every((edge) => stillHolds(segment, edge))) return null;
  const first = found.reduce((low, edge, i) => (edge.rank < found[low].rank ? i : low), 0);
  const circle = [...found.slice(first), ...found.slice(0, first)];
  return {
    text: `ranks wait for one another: ${circle.map(describeEdge).join('; ')}`,
    areas: circle.map(({ area }) => area),
  };
}

/** Depth first from `rank`; `path` holds the edges walked. Returns the edges of a circle. */
function search(segment: Segment, rank: number, path: readonly Edge[]): Edge[] | null {
  const start = path.findIndex((edge) => edge.rank === rank);
  if (start >= 0) return path.slice(start);
  for (const edge of edgesOf(segment, rank)) {
    const circle = search(segment, edge.waitsFor, [...path, edge]);
    if (circle !== null) return circle;
  }
  return null;
}

function edgesOf(segment: Segment, rank: number): Edge[] {
  const epoch = segment.load(rank, RANK.blockedEpoch);
  const at = segment.load(rank, RANK.blockedArea);
  const call = segment.load(rank, RANK.blockedCall);
  if (at === 0 || segment.load(rank, RANK.blockedEpoch) !== epoch) return [];
  const area = viewArea(segment, at);
  if (area === null) return [];
  return area.ranks
    .filter((_, member) => startedCalls(area, member) < call)
    .map((waitsFor) => ({ rank, waitsFor, epoch, area, call }));
}

/** Views the area at `at`; null if its rank has gone on and the memory may be another group's. */
function viewArea(segment: Segment, at: number): GroupArea | null {
  try {
    return new GroupArea(segment, at);
  } catch {
    return null;
  }
}

function stillHolds(segment: Segment, { rank, waitsFor, epoch, area, call }: Edge): boolean {
  return (
    segment.load(rank, RANK.blockedEpoch) === epoch &&
    startedCalls(area, area.ranks.indexOf(waitsFor)) < call
  );
}

/** Collectives that a member has started: those queued behind others, or the one in its frames. */
function startedCalls(area: GroupArea, member: number): number {
  const words = [
    area.lineWord(member, LINE.queued),
    ...[0, 1].map((round) => area.slotWord(member, round) + SEQUENCE),
  ];
  return Math.max(...words.map((word) => Atomics.load(area.words, word)));
}

function describeEdge({ rank, waitsFor, area, call }: Edge): string {
  return `rank ${rank} waits in collective #${call} of group '${area.name}' for rank ${waitsFor}`;
}
