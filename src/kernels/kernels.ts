/**
 * The seam between the algorithm and the arithmetic of one rank. Four stages, each over a run of
 * channels [from, to), so that a caller can work block by block. Per-channel arrays are indexed by
 * the channel itself and as long as the layout has channels. `x`, `y`, `dy` and `dx` have
 * samples * channels * plane elements of one type; y may be x, and dx may be dy or x.
 */

import type { FloatArray } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';

/** A run of channels: `from` is the first, `to` the one past the last. */
export interface ChannelRange {
  readonly from: number;
  readonly to: number;
}

/** What normalises: y = (x - mean) * invstd * weight + bias. */
export interface Normalization {
  readonly mean: Float64Array;
  /** 1 / sqrt(var + eps). */
  readonly invstd: Float64Array;
  /** Null: 1 for every channel. */
  readonly weight: FloatArray | null;
  /** Null: 0 for every channel. */
  readonly bias: FloatArray | null;
}

/** Sums over this rank's values of each channel. */
export interface GradientSums {
  /** sum(dy) */
  readonly dy: Float64Array;
  /** sum(dy * xhat), with xhat = (x - mean) * invstd */
  readonly dyXhat: Float64Array;
}

export interface Kernels {
  /** What errors, logs and benchmarks call this implementation. */
  readonly name: string;

  /** Writes the mean and M2 of each channel's values; both 0 where there are no values. */
  moments(
    mean: Float64Array,
    m2: Float64Array,
    x: FloatArray,
    layout: Layout,
    range: ChannelRange,
  ): void;

  /** Writes y = (x - mean) * invstd * weight + bias. */
  normalize(
    y: FloatArray,
    x: FloatArray,
    by: Normalization,
    layout: Layout,
    range: ChannelRange,
  ): void;

  /** Writes sum(dy) and sum(dy * xhat) of each channel. */
  gradientSums(
    sums: GradientSums,
    dy: FloatArray,
    x: FloatArray,
    by: Normalization,
    layout: Layout,
    range: ChannelRange,
  ): void;

  /**
   * Writes dx = weight * invstd * (dy - meanDy - xhat * meanDyXhat), where `means` are the group's
   * sums over the group's count, or null for statistics that did not come from the batch
   * (then dx = weight * invstd * dy).
   */
  inputGradient(
    dx: FloatArray,
    dy: FloatArray,
    x: FloatArray,
    by: Normalization,
    means: GradientSums | null,
    layout: Layout,
    range: ChannelRange,
  ): void;
}
