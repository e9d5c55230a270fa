/**
 * The backward pass over a group: gradient sums, summed over all ranks, then the input gradient,
 * block by block of channels.
 */

import type { FloatArray } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import type { ChannelRange, GradientSums, Normalization } from '../kernels/kernels.js';
import { packProducts, packSums } from '../kernels/plane-sums.js';
import { defaultKernels } from '../kernels/select.js';
import { blocksOf } from './blocks.js';
import { exchangeSums } from './exchange.js';
import { gatherSums, type Scope } from './forward.js';
import { workspace } from './workspace.js';

export type { GradientSums } from '../kernels/kernels.js';

/** What the forward pass has left for the backward pass. */
export interface Saved {
  readonly x: FloatArray;
  readonly layout: Layout;
  readonly by: Normalization;
  /** Values per channel over the group; null when the statistics did not come from the batch. */
  readonly count: number | null;
  /** Channels of a block that the group agreed on in the forward pass. */
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
export function backward(dx: FloatArray, dy: FloatArray, saved: Saved, scope: Scope): GradientSums {
  const kernels = defaultKernels();
  const { x, layout, count } = saved;
  const work = workspace(kernels, layout.channels);
  for (let c = 0; c < layout.channels; c++) {
    work.mean[c] = saved.by.mean[c];
    work.invstd[c] = saved.by.invstd[c];
  }
  const by = { ...saved.by, mean: work.mean, invstd: work.invstd };
  const sums = { dy: work.sumDy, dyXhat: work.sumDyXhat };
  const means = count === null ? null : { dy: work.meanDy, dyXhat: work.meanDyXhat };
  const blocks = blocksOf(layout.channels, channelsPerBlock(saved, scope));
  kernels.gradientSums(sums, dy, x, by, layout, blocks[0]);
  for (let i = 0; i < blocks.length; i++) {
    if (means !== null) {
      if (scope.reproducible) reproducibleMeans(means, dy, saved, scope);
      else groupMeans(means, sums, saved.count as number, blocks[i], scope);
    }
    const next = blocks[i + 1];
    if (next === undefined) kernels.inputGradient(dx, dy, x, by, means, layout, blocks[i]);
    else kernels.inputGradientSums(dx, dy, x, by, means, layout, blocks[i], sums, next);
  }
  return sums;
}

/** Alone a rank takes its own blocks; exact sums come all at once. */
function channelsPerBlock({ x, layout, channelsPerBlock }: Saved, scope: Scope): number {
  if (scope.reproducible) return layout.channels;
  if (scope.group.size > 1) return channelsPerBlock;
  const dtype = x instanceof Float64Array ? 'float64' : 'float32';
  return defaultKernels().channelsPerBlock(layout, dtype, 'backward');
}

/** Writes the group's sums over the group's count, for the channels of a block. */
function groupMeans(
  means: GradientSums,
  local: GradientSums,
  count: number,
  { from, to }: ChannelRange,
  { group, label }: Scope,
): void {
  const length = to - from;
  let { dy, dyXhat } = local;
  let first = from;
  if (group.size > 1) {
    const sums = new Float64Array(2 * length);
    for (let i = 0; i < length; i++) {
      sums[i] = dy[from + i];
      sums[length + i] = dyXhat[from + i];
    }
    exchangeSums(group, sums, label).wait();
    [dy, dyXhat, first] = [sums.subarray(0, length), sums.subarray(length), 0];
  }
  for (let i = 0; i < length; i++) {
    means.dy[from + i] = meanOf(dy[first + i], count);
    means.dyXhat[from + i] = meanOf(dyXhat[first + i], count);
  }
}

/** An empty group has no element that would read its means; 0 keeps NaN out of them. */
function meanOf(sum: number, count: number): number {
  return count === 0 ? 0 : sum / count;
}

/** The same from exact sums, for all channels. */
function reproducibleMeans(
  means: GradientSums,
  dy: FloatArray,
  { x, layout, by, count }: Saved,
  scope: Scope,
): void {
  const { channels } = layout;
  const { values } = gatherSums(2 * channels, 0, scope, (out) => {
    packSums(out, dy, layout);
    packProducts(out.subarray(out.length >> 1), dy, x, by.mean, layout);
  });
  for (let c = 0; c < channels; c++) {
    means.dy[c] = meanOf(values[c], count as number);
    means.dyXhat[c] = meanOf(values[channels + c] * by.invstd[c], count as number);
  }
}
