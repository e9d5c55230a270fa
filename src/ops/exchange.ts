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
import { chain } from './chain.js';

/** Groups up to this size gather; larger ones reduce twice. */
export const GATHER_RANKS = 64;

/** Starts merging the ranks' packed moments; see core/moments.ts for the packing. */
export function exchangeMoments(
  group: ProcessGroup,
  packed: Float64Array,
  channels: number,
  label: string,
): Work<Moments> {
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
): Work<Moments> {
  const gathered = group.allGather(packed.subarray(0, packedLength(channels)), { label });
  return chain(gathered, (all) => mergeRanks(all, group.size, channels));
}

/**
 * Two all-reduces:
 *
 *     n    = sum of n_r,  mean = sum of n_r mean_r / n
 *     M2   = sum of (M2_r + n_r (mean_r - mean)^2)
 */
export function reduceMoments(
  group: ProcessGroup,
  packed: Float64Array,
  channels: number,
  label: string,
): Work<Moments> {
  const local = viewPacked(packed, channels);
  const sums = new Float64Array(1 + channels);
  sums[0] = local.count;
  for (let c = 0; c < channels; c++) {
    sums[1 + c] = local.count === 0 ? 0 : local.count * local.mean[c];
  }
  const first = group.allReduce(sums, { label });
  return chain(first, ([count, ...totals]) => {
    const mean = Float64Array.from(totals, (total) => (count === 0 ? 0 : total / count));
    const m2 = local.m2.map((own, c) =>
      local.count === 0 ? 0 : own + local.count * (local.mean[c] - mean[c]) ** 2,
    );
    return chain(group.allReduce(m2, { label }), () => ({ count, mean, m2 }));
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
