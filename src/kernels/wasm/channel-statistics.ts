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

  inverseDeviations(invstd: Float64Array, m2: Float64Array, count: number, eps: number): void {
    if (!this.#own(invstd, m2)) {
      plainKernels.inverseDeviations(invstd, m2, count, eps);
      return;
    }
    this.#statistics.inverseDeviations(invstd.byteOffset, m2.byteOffset, invstd.length, count, eps);
  }

  divide(values: Float64Array, divisor: number): void {
    if (!this.heap.owns(values)) plainKernels.divide(values, divisor);
    else this.#statistics.divide(values.byteOffset, values.length, divisor);
  }

  moveRunning(running: FloatArray, batch: Float64Array, divisor: number, share: number): void {
    if (!(running instanceof Float32Array) || !this.#own(running, batch)) {
      plainKernels.moveRunning(running, batch, divisor, share);
      return;
    }
    const { byteOffset, length } = running;
    this.#statistics.moveRunning(byteOffset, batch.byteOffset, length, divisor, share);
  }

  /**
   * True if both lie in the kernels' memory. Other arrays are handled by the plain kernels: copying
   * them would take as long.
   */
  #own(one: FloatArray, other: FloatArray): boolean {
    return this.heap.owns(one) && this.heap.owns(other);
  }
}
