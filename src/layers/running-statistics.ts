/** Running mean and variance of the channels, and the rule that moves them towards a batch's. */

import { type DType, narrow } from '../core/dtype.js';
import type { Moments } from '../core/moments.js';
import { Tensor } from '../core/tensor.js';

export class RunningStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;

  constructor(mean: Tensor, variance: Tensor) {
    this.mean = mean;
    this.variance = variance;
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
    move(this.mean, mean, share);
    move(
      this.variance,
      m2.map((sum) => sum / divisor),
      share,
    );
  }
}

function move(running: Tensor, batch: Float64Array, share: number): void {
  const old = running.toFloats();
  narrow(
    batch.map((value, c) => (1 - share) * old[c] + share * value),
    running.data,
    running.dtype,
  );
}

/** Whether all channels' moments are finite: no NaN or infinity was in the batch. */
export function allFinite({ mean, m2 }: Moments): boolean {
  return mean.every(Number.isFinite) && m2.every(Number.isFinite);
}
