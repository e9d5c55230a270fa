/**
 * Channels whose deviation is so far from 1 that computing in the element type loses digits: the
 * kernels multiply by 1 / deviation twice before anything takes it back. The plain kernels, whose
 * arithmetic is float64, handle these channels; the other channels never notice.
 */

import type { DType, TensorData } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import type { Moments } from '../core/moments.js';
import type { ChannelRange } from '../kernels/kernels.js';
import { plainKernels } from '../kernels/plain.js';
import type { Kernels } from './kernels.js';

/** Below it, the digits that squares lose by underflow show beside eps. */
export const LEAST_EPS = 1e-37;

/** Variances of float32 values under which their squares may have underflowed. */
const LEAST_VARIANCE = 1e-30;

/** Computes the moments of channels whose squares may have underflowed again, in float64. */
export function sumTinyAgain({ mean, m2, count }: Moments, x: TensorData, layout: Layout): void {
  if (layout.dtype === 'float64') return;
  for (let c = 0; c < m2.length; c++) {
    if (m2[c] > count * LEAST_VARIANCE || Number.isNaN(m2[c])) continue;
    plainKernels.moments(mean, m2, x, layout, { from: c, to: c + 1 });
  }
}

/** The largest 1 / deviation that the kernels take, and its inverse the least. */
export const MOST = { float16: 1e15, bfloat16: 1e15, float32: 1e15, float64: 1e140 };

/** Lists the channels, in order; null: there are none. */
export function extremesOf(invstd: Float64Array, dtype: DType): readonly number[] | null {
  const most = MOST[dtype];
  const channels = Array.from(invstd, (_, c) => c);
  const extremes = channels.filter((c) => invstd[c] > most || invstd[c] < 1 / most);
  return extremes.length === 0 ? null : extremes;
}

/** Runs a stage over the channels of `range`: by `kernels`, but extremes by the plain kernels. */
export function runApart(
  extremes: readonly number[],
  { from, to }: ChannelRange,
  kernels: Kernels,
  stage: (kernels: Kernels, range: ChannelRange) => void,
): void {
  let next = from;
  for (const channel of extremes) {
    if (channel < from || channel >= to) continue;
    if (next < channel) stage(kernels, { from: next, to: channel });
    next = channel + 1;
    stage(plainKernels, { from: channel, to: next });
  }
  if (next < to) stage(kernels, { from: next, to });
}
