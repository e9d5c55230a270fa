/**
 * The ranks of a group put their statistics together: the layers' only words to a group. Every rank
 * gets bitwise the same result, because merges and sums run in rank order.
 *
 * | | forward | backward |
 * |---|---|---|
 * | up to 64 ranks | gathered: one all-gather of (count, mean, M2), 2C + 2 numbers | reduced: one all-reduce of both sums, 2C |
 * | more | reduced: all-reduces of counts and means, of M2, and of votes | the same |
 * | reproducible | exact: all-reduces of bounds, 2C, and of words, 4C + 1; once more if means are far from 0 | exact: the same |
 *
 * An all-gather needs one collective, but its bytes grow with the ranks.
 *
 * A vote travels with the moments: a rank's channels in a block of the backward call. All take the
 * smallest, since the ranks of a group must cut alike. The vote costs no collective of its own.
 */

import { packedLength } from '../../core/moments.js';
import type { Pass } from '../../group/pass.js';
import type { Statistics } from '../memory/statistics.js';
import type { Scope } from '../scope.js';
import { GatheredMoments } from './gathered.js';
import { ReducedMoments } from './reduced.js';

/** Groups up to this size gather; larger ones reduce. */
export const GATHER_RANKS = 64;

/**
 * Merges this rank's count, mean and M2 into those of the group, in place.
 * @param vote channels of a block that suit this rank; Infinity for any
 */
export function mergeMoments(statistics: Statistics, vote: number, scope: Scope): Pass<Statistics> {
  const { packed, mean, count } = statistics;
  packed[0] = count;
  packed[packedLength(mean.length)] = vote;
  return scope.group.size <= scope.gatherRanks
    ? new GatheredMoments(statistics, scope)
    : new ReducedMoments(statistics, scope);
}
