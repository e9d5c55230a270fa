/** The backward pass over a group: gradient sums, summed over all ranks, then the input gradient. */

import type { FloatArray } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import type { GradientSums, Normalization } from '../kernels/kernels.js';
import { plainKernels as kernels } from '../kernels/plain.js';
import { packProducts, packSums } from '../kernels/plane-sums.js';
import { exchangeSums } from './exchange.js';
import { gatherSums, type Scope } from './forward.js';

export type { GradientSums } from '../kernels/kernels.js';

/** What the forward pass has left for the backward pass. */
export interface Saved {
  readonly x: FloatArray;
  readonly layout: Layout;
  readonly by: Normalization;
  /** Values per channel over the group; null when the statistics did not come from the batch. */
  readonly count: number | null;
}

/**
 * Writes the input gradient and returns the LOCAL sums of dy and dy * xhat, which are the
 * gradients of bias and weight. `dx` may be `dy`.
 *
 *     dx = weight * invstd * (dy - sum(dy)/n - xhat * sum(dy * xhat)/n)
 *
 * with both sums and n over the group; without the two sums for fixed statistics, which send
 * nothing.
 */
export function backward(dx: FloatArray, dy: FloatArray, saved: Saved, scope: Scope): GradientSums {
  const { x, layout, by, count } = saved;
  const all = { from: 0, to: layout.channels };
  const sums = {
    dy: new Float64Array(layout.channels),
    dyXhat: new Float64Array(layout.channels),
  };
  kernels.gradientSums(sums, dy, x, by, layout, all);
  const means = count === null ? null : groupMeans(sums, dy, saved, count, scope);
  kernels.inputGradient(dx, dy, x, by, means, layout, all);
  return sums;
}

/** The group's sums over the group's count. */
function groupMeans(
  local: GradientSums,
  dy: FloatArray,
  saved: Saved,
  count: number,
  scope: Scope,
): GradientSums {
  const channels = local.dy.length;
  const sums = new Float64Array(2 * channels);
  if (scope.reproducible) {
    reproducibleSums(sums, dy, saved, scope);
  } else {
    sums.set(local.dy);
    sums.set(local.dyXhat, channels);
    if (scope.group.size > 1) exchangeSums(scope.group, sums, scope.label).wait();
  }
  // An empty group has no element that would read these; 0 keeps NaN out of them.
  for (let i = 0; i < sums.length; i++) sums[i] = count === 0 ? 0 : sums[i] / count;
  return { dy: sums.subarray(0, channels), dyXhat: sums.subarray(channels) };
}

/** Exact sums of dy and dy * xhat over the group, one behind the other. */
function reproducibleSums(
  sums: Float64Array,
  dy: FloatArray,
  { x, layout, by }: Saved,
  scope: Scope,
): void {
  const { channels } = layout;
  const { values } = gatherSums(2 * channels, 0, scope, (out) => {
    packSums(out, dy, layout);
    packProducts(out.subarray(out.length >> 1), dy, x, by.mean, layout);
  });
  sums.set(values);
  for (let c = 0; c < channels; c++) sums[channels + c] *= by.invstd[c];
}
