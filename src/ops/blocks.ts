/**
 * How the channels of a pass are cut into blocks. The ranks of a group must cut alike, whatever
 * they hold themselves: with each forward call every rank votes for its own blocks, and the
 * smallest ones are taken for the backward call and the next forward call. The votes ride in the
 * all-gather of the moments, so agreeing costs nothing; a layer's first call takes one block.
 */

import type { Layout } from '../core/layout.js';
import { defaultKernels } from '../kernels/select.js';

/** Channels of one block that a group has agreed on, for each pass. One for each layer. */
export class BlockPlan {
  forward = Number.POSITIVE_INFINITY;
  backward = Number.POSITIVE_INFINITY;

  /** Takes over the smallest votes, which are the last numbers that each of `ranks` ranks sent. */
  agree(gathered: Float64Array, ranks: number): void {
    const { length } = gathered;
    let [forward, backward] = [gathered[length - 2], gathered[length - 1]];
    for (let rank = 1; rank < ranks; rank++) {
      const end = (length / ranks) * rank;
      forward = Math.min(forward, gathered[end - 2]);
      backward = Math.min(backward, gathered[end - 1]);
    }
    this.forward = forward;
    this.backward = backward;
  }
}

/** Numbers of a vote: channels of a forward block, and of a backward block. */
export const VOTES = 2;

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
  const least = empty ? Number.POSITIVE_INFINITY : Math.ceil(layout.channels / mostBlocks);
  const kernels = defaultKernels();
  out[at] = Math.max(least, kernels.channelsPerBlock(layout, dtype, 'forward'));
  out[at + 1] = Math.max(least, kernels.channelsPerBlock(layout, dtype, 'backward'));
}
