/** The errors that end a group. */

import {
  CollectiveError,
  DeadlineError,
  MismatchError,
  RankFailedError,
} from '../../core/errors.js';
import type { Membership } from './disagreement.js';
import type { Described, Fate } from './rounds.js';
import type { RoundsWork } from './work.js';

/**
 * Makes the error of `work`, whose deadline has passed, and tells the group's other members.
 * @param head the collective under way, which may be another
 * @param missing world ranks that have not come to it
 * @param blamed ranks that stand still
 */
export function deadlineError(
  { name, rank }: Membership,
  work: RoundsWork,
  head: RoundsWork,
  missing: readonly number[],
  blamed: readonly number[],
  fate: Fate | null,
): DeadlineError {
  const behind = head === work ? '' : `, behind ${head.describe()},`;
  const text =
    `rank ${rank} waited ${work.timeout / 1000} s in ` +
    `${work.describe()} in group '${name}'${behind} for ${describeMissing(missing, blamed)}`;
  return new DeadlineError(fate?.fail(text) ?? text);
}

/** 'rank 3', or 'rank 3, for which rank 0, 4 wait' */
function describeMissing(missing: readonly number[], blamed: readonly number[]): string {
  if (missing.length === 0) return 'data';
  const between = missing.filter((rank) => !blamed.includes(rank));
  const chain =
    between.length === 0
      ? ''
      : `, for which rank ${between.join(', ')} ${between.length === 1 ? 'waits' : 'wait'}`;
  return `rank ${blamed.join(', ')}${chain}`;
}

/**
 * Makes the error of `call`, which waits for the world rank `lost` that takes no further part.
 * @param cause the rank for which a call of the lost one had failed; -1: none
 */
export function lostError(
  { name, rank }: Membership,
  call: Described,
  lost: number,
  how: string,
  cause = -1,
): RankFailedError {
  const why =
    cause < 0 || cause === rank ? '' : `, after a call of it had failed for rank ${cause}`;
  const text = `rank ${lost} ${how} before ${call.describe()} in group '${name}'`;
  return new RankFailedError(lost, `${text}, which rank ${rank} is in${why}`);
}

/** True if an error ends the group, as errors of its carrier do. */
export function isFatal(error: unknown): boolean {
  const agreed =
    error instanceof MismatchError ||
    error instanceof RankFailedError ||
    error instanceof DeadlineError;
  return error instanceof CollectiveError && !agreed;
}
