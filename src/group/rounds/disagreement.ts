/**
 * What members do when their headers are not alike. All have seen the same headers, so all take the
 * same way here.
 */

import { DeadlineError, MismatchError, RankFailedError } from '../../core/errors.js';
import type { Frames } from './frames.js';
import { BROKEN, DESTROYED, isRaising, mannerOf, readText, writeText } from './header.js';
import type { Rounds } from './rounds.js';

/** A group, as errors name it. */
export interface Membership {
  readonly name: string;
  /** World ranks of the members. */
  readonly ranks: readonly number[];
  readonly rounds: Rounds;
}

/** How a member left, for the others' next collectives. */
export interface Left {
  /** World rank. */
  readonly rank: number;
  readonly manner: number;
  /** Why, if there is a reason. */
  readonly text: string;
}

/** The first member that leaves in the round that has arrived, or null. */
export function findLeaver({ rounds: { frames }, ranks }: Membership): Left | null {
  const member = ranks.findIndex((_, m) => mannerOf(frames, m) !== null);
  if (member < 0) return null;
  const manner = mannerOf(frames, member) as number;
  return { rank: ranks[member], manner, text: readText(frames, member) };
}

/** The error of a collective, described by `what`, that a member left before. */
export function leftError(
  { rank, manner, text }: Left,
  what: string,
  { name, ranks, rounds }: Membership,
): Error {
  if (manner === BROKEN) return new DeadlineError(text);
  if (text !== '') return new RankFailedError(rank, `rank ${rank} failed: ${text}`);
  const how = manner === DESTROYED ? 'left' : `exited with code ${manner}`;
  const own = ranks[rounds.frames.member];
  return new RankFailedError(
    rank,
    `rank ${rank} ${how} before ${what} in group '${name}', which rank ${own} is in`,
  );
}

/**
 * Throws what the members' headers come to, while nobody leaves. Yields while their descriptions
 * travel: headers hold numbers, and words are sent only now that they are needed.
 * @param odd the member whose header stands out
 * @throws RankFailedError when it raised, MismatchError otherwise
 */
export function* disagree(
  { name, ranks, rounds }: Membership,
  what: string,
  odd: number,
): Generator<void> {
  const { frames } = rounds;
  if (isRaising(frames, odd)) throw raised(frames, ranks, odd);
  const bytes = writeText(frames, what);
  rounds.send(bytes, bytes);
  yield;
  throw new MismatchError(
    `ranks disagree in group '${name}': rank ${ranks[odd]} is in ${readText(frames, odd)}, ` +
      `rank ${ranks[0]} in ${readText(frames, 0)}`,
  );
}

function raised(frames: Frames, ranks: readonly number[], odd: number): RankFailedError {
  return new RankFailedError(ranks[odd], `rank ${ranks[odd]} failed: ${readText(frames, odd)}`);
}
