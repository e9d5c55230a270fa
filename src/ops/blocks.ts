/**
 * How the channels of a pass are cut into blocks. The ranks of a group must cut alike, whatever
 * they hold themselves: with each forward call every rank votes for its own blocks, and the
 * smallest ones are taken for the backward call and the next forward call. The votes ride in the
 * all-gather of the moments, so agreeing costs nothing; a layer's first call takes one block.
 */

import type { Layout } from '../core/layout.js';
import type { ChannelRange } from '../kernels/kernels.js';
import { defaultKernels } from '../kernels/select.js';

/** Channels of one block that a group has agreed on, for each pass. One for each layer. */
export class BlockPlan {
  forward = Number.POSITIVE_INFINITY;
  backward = Number.POSITIVE_INFINITY;

  /** Takes over what the group voted for. */
  agree([forward, backward]: Float64Array): void {
    this.forward = forward;
    this.backward = backward;
  }
}

const PASSES = ['forward', 'backward'] as const;
/** Numbers of a vote. */
export const VOTES = PASSES.length;

/**
 * Writes this rank's vote into `out` from `at` on; a rank without values takes what others do.
 * @param mostBlocks blocks that the group's collectives are quick enough for
 */
export function vote(
  out: Float64Array,
  at: number,
  mostBlocks: number,
  layout: Layout,
  dtype: 'float32' | 'float64',
): void {
  const empty = layout.samples * layout.plane === 0;
  const least = Math.ceil(layout.channels / mostBlocks);
  PASSES.forEach((pass, i) => {
    out[at + i] = empty
      ? Number.POSITIVE_INFINITY
      : Math.max(least, defaultKernels().channelsPerBlock(layout, dtype, pass));
  });
}

/** The blocks of `channels` channels, `perBlock` in each but the last. */
export function blocksOf(channels: number, perBlock: number): ChannelRange[] {
  const blocks: ChannelRange[] = [];
  for (let from = 0; from < channels; from += perBlock) {
    blocks.push({ from, to: Math.min(channels, from + perBlock) });
  }
  return blocks;
}
