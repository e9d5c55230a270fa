/**
 * Handles headers that are not alike. All have seen the same headers, so all take the
 * same way here.
 */

import { MismatchError, RankFailedError } from '../../core/errors.js';
import type { Frames } from './frames.js';
import { isRaising, readText, writeText } from './header.js';
import type { Rounds } from './rounds.js';

/** A group, as errors name it. */
export interface Membership {
  readonly name: string;
  /** World rank of this member. */
  readonly rank: number;
  /** World ranks of the members. */
  readonly ranks: readonly number[];
}

/**
 * Throws the error that the members' headers lead to. Yields while their descriptions travel:
 * headers hold numbers, and words are sent only if they are needed.
 * @param odd the member whose header stands out
 * @throws RankFailedError if that member raised, MismatchError otherwise
 */
export function* disagree(
  { name, ranks }: Membership,
  rounds: Rounds,
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
