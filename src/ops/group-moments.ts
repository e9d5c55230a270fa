/** The moments of this rank, and then of its group: the one meeting of the ranks in a forward call. */

import type { Layout } from '../core/layout.js';
import { packedLength } from '../core/moments.js';
import { blockVote } from './blocks.js';
import { GATHER_RANKS, reduceMoments, smallestVote } from './exchange.js';
import type { Statistics } from './kept.js';
import type { Scope } from './scope.js';
import { room } from './workspace.js';

/** What the ranks of a group have agreed on. */
export interface Agreement {
  /** Values per channel over the group. */
  readonly count: number;
  /** Channels of a block of the backward call. */
  readonly channelsPerBlock: number;
}

/** Merges mean and M2 over the group, in place. @param own values per channel on this rank */
export function mergeOverGroup(
  { packed, mean, m2 }: Statistics,
  own: number,
  layout: Layout,
  { kernels, group, label }: Scope,
): Agreement {
  const { channels } = layout;
  const { length } = packed;
  packed[0] = own;
  packed[packedLength(channels)] = blockVote(kernels, group.mostBlocks, layout);
  if (group.size > GATHER_RANKS) {
    const merged = reduceMoments(group, packed, channels, label).wait();
    mean.set(merged.mean);
    m2.set(merged.m2);
    return { count: merged.count, channelsPerBlock: merged.vote };
  }
  const out = room(kernels, 'received', length * group.size).all;
  group.allGather(packed, { out, label }).wait();
  const count = kernels.mergeMoments(mean, m2, out, group.size, length);
  return { count, channelsPerBlock: smallestVote(out, group.size) };
}
