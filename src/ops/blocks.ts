/**
 * How the channels of a backward call are cut into blocks. The ranks of a group must cut alike,
 * whatever they hold themselves: with each forward call every rank votes for its own blocks, and
 * the smallest ones are taken for the backward call. The votes ride in the all-gather of the
 * moments, so agreeing costs nothing.
 */

import type { Layout } from '../core/layout.js';
import type { Kernels } from './kernels.js';

/**
 * Channels of a block that suit this rank; one without values takes what others do.
 * @param mostBlocks blocks that the group's collectives are quick enough for
 */
export function blockVote(kernels: Kernels, mostBlocks: number, layout: Layout): number {
  if (layout.samples * layout.plane === 0) return Number.POSITIVE_INFINITY;
  const least = Math.ceil(layout.channels / mostBlocks);
  return Math.max(least, kernels.channelsPerBlock(layout));
}
