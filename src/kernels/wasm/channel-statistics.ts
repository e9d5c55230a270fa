/** Operations on per-channel numbers between the stages, by assembly/statistics.ts. */

import type { FloatArray } from '../../core/dtype.js';
import { plainKernels } from '../plain.js';
import type { Statistics } from './engine.js';
import type { Heap } from './heap.js';

export class ChannelStatistics {
  readonly heap: Heap;
  readonly #statistics: Statistics;

  constructor(heap: Heap, statistics: Statistics) {
    this.heap = heap;
    this.#statistics = statistics;
  }

  mergeMoments(
    mean: Float64Array,
    m2: Float64Array,
    gathered: Float64Array,
    ranks: number,
    stride: number,
  ): number {
    if (!this.#own(mean, m2) || !this.heap.owns(gathered)) {
      return plainKernels.mergeMoments(mean, m2, gathered, ranks, stride);
    }
    return this.#statistics.mergeMoments(
      mean.byteOffset,
      m2.byteOffset,
      gathered.byteOffset,
      ranks,
      stride * 8,
      mean.length,
    );
  }

  inverseDeviations(
    invstd: Float64Array,
    m2: Float64Array,
    count: number,
    eps: number,
    most: number,
  ): boolean {
    if (!this.#own(invstd, m2)) {
      return plainKernels.inverseDeviations(invstd, m2, count, eps, most);
    }
    const { byteOffset, length } = invstd;
    const run = this.#statistics.inverseDeviations;
    return run(byteOffset, m2.byteOffset, length, count, eps, most) !== 0;
  }

  divide(quotients: Float64Array, values: Float64Array, divisor: number): void {
    if (!this.#own(quotients, values)) plainKernels.divide(quotients, values, divisor);
    else this.#statistics.divide(quotients.byteOffset, values.byteOffset, values.length, divisor);
  }

  moveRunning(
    mean: FloatArray,
    variance: FloatArray,
    batch: { readonly mean: Float64Array; readonly m2: Float64Array },
    divisor: number,
    share: number,
  ): void {
    const isNear = this.#own(mean, variance) && this.#own(batch.mean, batch.m2);
    if (!(mean instanceof Float32Array) || !isNear) {
      plainKernels.moveRunning(mean, variance, batch, divisor, share);
      return;
    }
    this.#statistics.moveRunning(
      mean.byteOffset,
      variance.byteOffset,
      batch.mean.byteOffset,
      batch.m2.byteOffset,
      mean.length,
      divisor,
      share,
    );
  }

  /**
   * True if both lie in the kernels' memory. Other arrays are handled by the plain kernels: copying
   * them would take as long.
   */
  #own(one: FloatArray, other: FloatArray): boolean {
    return this.heap.owns(one) && this.heap.owns(other);
  }
}
