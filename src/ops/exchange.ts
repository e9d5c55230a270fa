/**
 * How ranks put their statistics together: the algorithm's only words to a group. Every rank gets
 * bitwise the same, because sums and merges run in rank order.
 *
 * | ranks | forward | numbers sent by a rank |
 * |---|---|---|
 * | up to 64 | all-gather of (count, mean, M2), merged in rank order | 2C + 1 |
 * | more | all-reduce of counts and means, then of M2 about the global mean | 2C + 1 in two |
 *
 * The all-gather needs one collective, but its bytes grow with the ranks.
 */

import { type Moments, mergeRanks, packedLength, viewPacked } from '../core/moments.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Work } from '../group/transport.js';
import { chain, finished } from './chain.js';

/** Groups up to this size gather; larger ones reduce twice. */
export const GATHER_RANKS = 64;

/** The moments of all ranks together, and the smallest of their votes. */
export interface Exchanged extends Moments {
  /** Infinity where there were none. */
  readonly vote: number;
}

/**
 * Starts merging the ranks' packed moments; see core/moments.ts for the packing. A number behind it
 * is a vote: every rank gets the smallest one. It rides along, and costs no collective.
 */
export function exchangeMoments(
  group: ProcessGroup,
  packed: Float64Array,
  channels: number,
  label: string,
): Work<Exchanged> {
  return group.size <= GATHER_RANKS
    ? gatherMoments(group, packed, channels, label)
    : reduceMoments(group, packed, channels, label);
}

/** One all-gather; exported for tests, which compare the two ways. */
export function gatherMoments(
  group: ProcessGroup,
  packed: Float64Array,
  channels: number,
  label: string,
): Work<Exchanged> {
  const { length } = packed;
  return chain(group.allGather(packed, { label }), (gathered) => ({
    ...mergeRanks(gathered, length, group.size, channels),
    vote: length > packedLength(channels) ? smallestVote(gathered, group.size) : NO_VOTE,
  }));
}

const NO_VOTE = Number.POSITIVE_INFINITY;

/** The smallest of the ranks' votes: the last numbers that each of `ranks` ranks sent. */
export function smallestVote(gathered: Float64Array, ranks: number): number {
  const length = gathered.length / ranks;
  let smallest = NO_VOTE;
  for (let end = length; end <= gathered.length; end += length) {
    smallest = Math.min(smallest, gathered[end - 1]);
  }
  return smallest;
}

/**
 * Two all-reduces, and one more for votes:
 *
 *     n    = sum of n_r,  mean = sum of n_r mean_r / n
 *     M2   = sum of (M2_r + n_r (mean_r - mean)^2)
 */
export function reduceMoments(
  group: ProcessGroup,
  packed: Float64Array,
  channels: number,
  label: string,
): Work<Exchanged> {
  const local = viewPacked(packed, channels);
  const sums = new Float64Array(1 + channels);
  sums[0] = local.count;
  for (let c = 0; c < channels; c++) {
    sums[1 + c] = local.count === 0 ? 0 : local.count * local.mean[c];
  }
  return chain(group.allReduce(sums, { label }), ([count, ...totals]) => {
    const mean = Float64Array.from(totals, (total) => (count === 0 ? 0 : total / count));
    const m2 = local.m2.map((own, c) =>
      local.count === 0 ? 0 : own + local.count * (local.mean[c] - mean[c]) ** 2,
    );
    const votes = packed.slice(packedLength(channels));
    return chain(group.allReduce(m2, { label }), () =>
      chain(
        votes.length === 0 ? finished(votes) : group.allReduce(votes, { op: 'min', label }),
        ([vote = NO_VOTE]) => ({ count, mean, m2, vote }),
      ),
    );
  });
}

/** Starts summing per-channel numbers over the ranks, in place and in rank order. */
export function exchangeSums(
  group: ProcessGroup,
  sums: Float64Array,
  label: string,
): Work<Float64Array> {
  return group.allReduce(sums, { label });
}
