/**
 * The backward pass over a group: gradient sums, summed over all ranks, then the input gradient,
 * block by block of channels.
 */

import type { FloatArray } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { ChannelRange, GradientSums } from '../kernels/kernels.js';
import { gatherSums } from './forward.js';
import type { Kept } from './kept.js';
import type { Scope } from './scope.js';
import { room } from './workspace.js';

export type { GradientSums } from '../kernels/kernels.js';

/** What the forward pass has left for the backward pass, beside x. */
export interface Saved {
  readonly kept: Kept;
  readonly layout: Layout;
  /** Ranks whose batch the statistics are of; null for given ones. */
  readonly group: ProcessGroup | null;
  /** Values per channel over the group; 0 without one. */
  readonly count: number;
  /** Channels of a block, as the group agreed in the forward pass; all where sums are exact. */
  readonly channelsPerBlock: number;
}

/**
 * Writes the input gradient and returns the LOCAL sums of dy and dy * xhat, which are the
 * gradients of bias and weight, valid until the next pass. `dx` may be `dy`.
 *
 *     dx = weight * invstd * (dy - sum(dy)/n - xhat * sum(dy * xhat)/n)
 *
 * with both sums and n over the group; without the two sums for fixed statistics, which send
 * nothing.
 */
export function backward(
  dx: FloatArray,
  dy: FloatArray,
  x: FloatArray,
  saved: Saved,
  scope: Scope,
): GradientSums {
  const { kernels } = scope;
  const { layout, count } = saved;
  const sums = room(kernels, 'sums', 2 * layout.channels);
  const means = room(kernels, 'means', 2 * layout.channels);
  const { statistics, weight } = saved.kept;
  const by = { mean: statistics.mean, invstd: statistics.invstd, weight, bias: null };
  const own = { dy: sums.first, dyXhat: sums.second };
  const group = saved.group === null ? null : { dy: means.first, dyXhat: means.second };
  const step = saved.channelsPerBlock;
  for (let from = 0; from < layout.channels; from += step) {
    const block = { from, to: Math.min(layout.channels, from + step) };
    kernels.gradientSums(own, dy, x, by, layout, block);
    if (group !== null) {
      if (scope.reproducible) reproducibleMeans(group, dy, x, saved, scope);
      else groupMeans(means.all, sums.all, count, block, scope);
    }
    kernels.inputGradient(dx, dy, x, by, group, layout, block);
  }
  return own;
}

/** Writes the group's sums over the group's count, for the channels of a block. */
function groupMeans(
  means: Float64Array,
  sums: Float64Array,
  count: number,
  { from, to }: ChannelRange,
  scope: Scope,
): void {
  const channels = sums.length / 2;
  const length = to - from;
  if (length === channels) {
    meansOf(means, sums, count, scope);
    return;
  }
  // The two kinds of sums of a part of the channels lie apart: side by side for the wire.
  const sent = room(scope.kernels, 'sent', 2 * length).all;
  sent.set(sums.subarray(from, to));
  sent.set(sums.subarray(channels + from, channels + to), length);
  const received = room(scope.kernels, 'received', 2 * length).all;
  meansOf(received, sent, count, scope);
  means.set(received.subarray(0, length), from);
  means.set(received.subarray(length), channels + from);
}

/** Writes the sums over the group of `sums`, over `count`. */
function meansOf(
  out: Float64Array,
  sums: Float64Array,
  count: number,
  { kernels, group, label }: Scope,
): void {
  if (group.size > 1) group.allReduce(sums, { out, label }).wait();
  else out.set(sums);
  // An empty group has no element that would read its means; 1 keeps NaN out of them.
  kernels.divide(out, Math.max(count, 1));
}

/** The same from exact sums, for all channels. */
function reproducibleMeans(
  means: GradientSums,
  dy: FloatArray,
  x: FloatArray,
  { layout, count, kept }: Saved,
  scope: Scope,
): void {
  const { channels } = layout;
  const { mean, invstd } = kept.statistics;
  const { values } = gatherSums(2 * channels, scope, (out) => {
    scope.kernels.exactGradientSums(out, dy, x, mean, layout);
    return 0;
  });
  const divisor = Math.max(count, 1);
  for (let c = 0; c < channels; c++) {
    means.dy[c] = values[c] / divisor;
    means.dyXhat[c] = (values[channels + c] * invstd[c]) / divisor;
  }
}
