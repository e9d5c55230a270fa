/** The moments of a block of channels, of this rank and then of its group: one meeting of the ranks. */

import { type Layout, valuesPerChannel } from '../core/layout.js';
import { packedLength } from '../core/moments.js';
import type { ChannelRange, Kernels } from '../kernels/kernels.js';
import { VOTES, vote } from './blocks.js';
import { GATHER_RANKS, reduceMoments } from './exchange.js';
import type { Statistics } from './kept.js';
import type { Scope } from './scope.js';
import { room } from './workspace.js';

/**
 * Merges a block's mean and M2 over the group, in place; with the first block the ranks agree on
 * the blocks to come.
 * @returns values per channel over the group
 */
export function mergeOverGroup(
  kernels: Kernels,
  statistics: Statistics,
  layout: Layout,
  dtype: 'float32' | 'float64',
  block: ChannelRange,
  { group, label, plan }: Scope,
): number {
  const { mean, m2 } = statistics;
  const first = block.from === 0;
  const packed = pack(kernels, statistics, layout, block);
  const { length } = packed;
  if (first) vote(packed, length - VOTES, group.mostBlocks, layout, dtype);
  if (group.size > GATHER_RANKS) {
    const merged = reduceMoments(group, packed, block.to - block.from, label).wait();
    mean.set(merged.mean, block.from);
    m2.set(merged.m2, block.from);
    if (first) plan.agree(merged.votes, 1);
    return merged.count;
  }
  const out = room(kernels, 'received', length * group.size).all;
  group.allGather(packed, { out, label }).wait();
  if (first) plan.agree(out, group.size);
  return kernels.mergeMoments(mean, m2, out, group.size, length, block);
}

/** This rank's moments of a block as they go to others, with room for votes in the first block. */
function pack(
  kernels: Kernels,
  { packed: whole, mean, m2 }: Statistics,
  layout: Layout,
  { from, to }: ChannelRange,
): Float64Array {
  whole[0] = valuesPerChannel(layout);
  if (to - from === layout.channels) return whole;
  const length = packedLength(to - from) + (from === 0 ? VOTES : 0);
  const packed = room(kernels, 'sent', length).all;
  packed[0] = whole[0];
  packed.set(mean.subarray(from, to), 1);
  packed.set(m2.subarray(from, to), 1 + to - from);
  return packed;
}
