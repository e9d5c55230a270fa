/** The part of a backward call that meets its group. */

import type { Work } from '../../group/transport.js';
import type { ChannelRange, GradientSums } from '../../kernels/kernels.js';

/** The group's gradient sums over its count, which the input gradient subtracts. */
export interface MeansOfGroup {
  readonly means: GradientSums;
  /** Starts with this rank's sums of a block of channels; null: there is nothing to wait for. */
  start(block: ChannelRange): Work<unknown> | null;
  /** Writes the means of that block; or returns another work, after which it is called again. */
  finish(block: ChannelRange): Work<unknown> | null;
}
