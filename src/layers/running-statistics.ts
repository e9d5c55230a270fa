/** Running mean and variance of the channels, and the rule that moves them towards a batch's. */

import type { ComputeDType, FloatArray } from '../core/dtype.js';
import type { Moments } from '../core/moments.js';
import { Tensor } from '../core/tensor.js';
import { inKernels } from '../ops/allocate.js';
import type { Kernels } from '../ops/kernels.js';

/** float32 or float64, so that moving them rounds once; in the kernels' memory. */
export class RunningStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;

  readonly #kernels: Kernels;
  readonly #initial: readonly [FloatArray, FloatArray];

  constructor(mean: Tensor, variance: Tensor, kernels: Kernels) {
    this.mean = inKernels(mean, kernels);
    this.variance = inKernels(variance, kernels);
    this.#kernels = kernels;
    this.#initial = [mean.toFloats().slice(), variance.toFloats().slice()];
  }

  /** Makes mean 0 and variance 1 for every channel. */
  static standard(channels: number, dtype: ComputeDType, kernels: Kernels): RunningStatistics {
    const [zeros, ones] = [Tensor.zeros([channels], dtype), Tensor.ones([channels], dtype)];
    return new RunningStatistics(zeros, ones, kernels);
  }

  /** Resets to the initial values. */
  reset(): void {
    this.mean.data.set(this.#initial[0]);
    this.variance.data.set(this.#initial[1]);
  }

  /**
   * Moves mean and variance: r = (1 - share) * r + share * batch.
   * @param unbiased true for a batch's variance of M2 / (n - 1) instead of M2 / n
   */
  update(batch: Moments, share: number, unbiased: boolean): void {
    const divisor = unbiased ? batch.count - 1 : batch.count;
    const mean = this.mean.toFloats();
    this.#kernels.moveRunning(mean, this.variance.toFloats(), batch, divisor, share);
  }
}

const LARGEST = { float32: 3.4028234663852886e38, float64: Number.MAX_VALUE };

/** True if no channel's mean or variance is NaN, infinite, or more than `dtype` can hold. */
export function allFinite({ count, mean, m2 }: Moments, dtype: ComputeDType): boolean {
  const largest = LARGEST[dtype];
  // Without a division for each channel.
  const largestM2 = Math.min(largest * Math.max(1, count - 1), Number.MAX_VALUE);
  for (let c = 0; c < mean.length; c++) {
    if (!(Math.abs(mean[c]) <= largest && m2[c] <= largestM2)) return false;
  }
  return true;
}
