/** Running mean and variance of the channels, and the rule that moves them towards a batch's. */

import type { DType } from '../core/dtype.js';
import type { Moments } from '../core/moments.js';
import { Tensor } from '../core/tensor.js';
import { inKernels } from '../ops/allocate.js';
import { moveRunning } from '../ops/running.js';

/** float32 or float64, so that moving them rounds once; in the kernels' memory. */
export class RunningStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;

  constructor(mean: Tensor, variance: Tensor) {
    this.mean = inKernels(mean);
    this.variance = inKernels(variance);
  }

  /** Mean 0 and variance 1 for every channel. */
  static standard(channels: number, dtype: DType): RunningStatistics {
    return new RunningStatistics(Tensor.zeros([channels], dtype), Tensor.ones([channels], dtype));
  }

  /**
   * r = (1 - share) * r + share * batch, for mean and variance.
   * @param unbiased whether the batch's variance is M2 / (n - 1) instead of M2 / n
   */
  update({ count, mean, m2 }: Moments, share: number, unbiased: boolean): void {
    const divisor = unbiased ? count - 1 : count;
    moveRunning(this.mean.toFloats(), mean, 1, share);
    moveRunning(this.variance.toFloats(), m2, divisor, share);
  }
}

const LARGEST = { float32: 3.4028234663852886e38, float64: Number.MAX_VALUE };

/** Whether no channel's mean and variance are NaN, infinite, or more than `dtype` can hold. */
export function allFinite({ count, mean, m2 }: Moments, dtype: 'float32' | 'float64'): boolean {
  const largest = LARGEST[dtype];
  // Without a division for each channel.
  const largestM2 = Math.min(largest * Math.max(1, count - 1), Number.MAX_VALUE);
  for (let c = 0; c < mean.length; c++) {
    if (!(Math.abs(mean[c]) <= largest && m2[c] <= largestM2)) return false;
  }
  return true;
}
