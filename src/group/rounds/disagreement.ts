/**
 * What ranks do when their headers are not alike. All have seen the same headers, so all take the
 * same way here, and fail in the same words.
 */

import { MismatchError, RankFailedError } from '../../core/errors.js';
import type { MpiGroup } from './group.js';
import {
  describe,
  exitCodeOf,
  type FrameCall,
  isLeaving,
  isRaising,
  readText,
  writeText,
} from './header.js';
import type { Arrival } from './rounds.js';

/**
 * Ends well when all ranks leave; else throws. Yields while the ranks' descriptions travel.
 * @param odd the member whose header stands out
 * @throws RankFailedError when a rank raised, failed or left, MismatchError otherwise
 */
export function* disagree(
  group: MpiGroup,
  call: FrameCall,
  number: number,
  odd: number,
): Generator<Arrival> {
  const { frames, ranks, name } = group;
  if (frames.watchAll()) yield frames;
  if (frames.level()) yield frames;
  if (isRaising(frames, odd)) throw failed(group, odd);
  const leavers = ranks.map((_, m) => m).filter((m) => isLeaving(frames, m));
  if (leavers.includes(odd) && readText(frames, odd) !== '') {
    group.onFailure(ranks[odd]);
    throw failed(group, odd);
  }
  if (leavers.length === ranks.length) return;
  const exitCode = exitCodeOf(frames, odd);
  // The headers hold numbers; the words for the error are sent only now that there is one.
  frames.sendToAll(writeText(frames, describe(call, number)));
  yield frames;
  if (leavers.length === 0) throw mismatch(group, odd);
  const waiting = ranks.findIndex((_, m) => !leavers.includes(m));
  throw new RankFailedError(
    ranks[odd],
    `rank ${ranks[odd]} exited with code ${exitCode} before ${readText(frames, waiting)} in group ` +
      `'${name}', which rank ${ranks[waiting]} is in`,
  );
}

function failed({ frames, ranks }: MpiGroup, odd: number): RankFailedError {
  return new RankFailedError(ranks[odd], `rank ${ranks[odd]} failed: ${readText(frames, odd)}`);
}

function mismatch({ frames, ranks, name }: MpiGroup, odd: number): MismatchError {
  return new MismatchError(
    `ranks disagree in group '${name}': rank ${ranks[odd]} is in ${readText(frames, odd)}, ` +
      `rank ${ranks[0]} in ${readText(frames, 0)}`,
  );
}
