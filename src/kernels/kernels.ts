/**
 * The seam between the algorithm and the arithmetic of one rank: four stages, exact sums for
 * results that do not depend on how a batch is split, and operations on the channels' statistics
 * between the stages. Kernels are passed in (`Scope.kernels` of ops/); nothing looks them up.
 *
 * - A stage takes a run of channels [from, to), so that a caller can work block by block.
 * - `x`, `y`, `dy` and `dx` have samples * channels * plane elements of the layout's `dtype`; y
 *   may be x, and dx may be dy or x. Of float16 and bfloat16 they are bit patterns, computed as
 *   float32; results are rounded to nearest, ties to even. weight and bias are float32 or float64, of any layout.
 * - Per-channel arrays are indexed by the channel itself, and as long as the layout has channels.
 * - All arrays may be of any origin. Those from `allocate` are used in place; others are copied in
 *   and out by pieces. Nothing is kept of an array after a call.
 * - A layout may have a mask. Then `moments` and `exactSums` are those of the values that count.
 *   The normalised values of all places are outputs: `gradientSums`, exact ones too, take the dy of
 *   all places. dx is weight * invstd * dy for values that do not count, since the input does not
 *   move the statistics. With `zero` these places have no outputs: y and dx are 0, and dy is not
 *   read.
 */

import type { ComputeDType, DType, FloatArray, TensorData } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';

/** A run of channels: `from` is the first, `to` the one past the last. */
export interface ChannelRange {
  readonly from: number;
  readonly to: number;
}

/** Parameters of y = (x - mean) * invstd * weight + bias. */
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

/** Terms of exact sums: d = x - shift and d * d, or with dy, dy and dy * d. */
export interface ExactTerms {
  readonly x: TensorData;
  readonly dy: TensorData | null;
  /** Rounded to the type that is computed in; must not depend on the split. Null: 0. */
  readonly shift: Float64Array | null;
  /** A bound on each channel's |d| on all ranks: saves a pass over x. */
  readonly reach?: Float64Array | null;
  /** If true, float64 throughout, and slow, for products that float32 cannot hold. */
  readonly precise: boolean;
}

/** The steps after the normalisation in the same pass: y = activation(normalised x + add). */
export interface Tail {
  /** Added to the elements of x, of its type; null: nothing is added. */
  readonly add: TensorData | null;
  /** If true, values below 0 become 0. NaN and -0 stay. */
  readonly rectify: boolean;
}

/** The stages of a forward call that has a {@link Tail}, and of its backward call. */
export interface TailStages {
  /** As {@link Kernels.normalize}, with the tail; y may be x, or the tail's `add`. */
  normalize(
    y: TensorData,
    x: TensorData,
    tail: Tail,
    by: Normalization,
    layout: Layout,
    range: ChannelRange,
  ): void;

  /** Writes the rectifier's gradient: dy if y is above 0 or NaN, else 0. g may be dy or y. */
  gate(g: TensorData, dy: TensorData, y: TensorData, layout: Layout, range: ChannelRange): void;
}

/** Exact sums that wait for the other ranks. Its arrays are valid until the next exact sums begin. */
export interface ExactSums {
  /**
   * The largest magnitudes of this rank's terms, or numbers of the same power of two, and infinity
   * if a term is not finite: all channels' first terms, then all products.
   */
  readonly bounds: Float64Array;
  /**
   * The sums in words that may be added to those of other ranks, and one number for the caller; see
   * `valuesOfWords`.
   * @param bounds the largest of all ranks; may be this rank's own array
   */
  words(bounds: Float64Array): Float64Array;
  /** Writes the sums that words stand for, as `valuesOfWords` does. */
  values(values: Float64Array, words: Float64Array, bounds: Float64Array): void;
}

export interface Kernels {
  /** Name of this implementation in errors, logs and benchmarks. */
  readonly name: string;

  /**
   * Allocates a zeroed array that these kernels need not copy. Its memory returns when the array is
   * given to `release`, or is collected; a subarray does not keep it.
   * @throws RangeError when memory is exhausted: it names the size and the free memory
   */
  allocate(dtype: 'float32', length: number): Float32Array;
  allocate(dtype: 'float64', length: number): Float64Array;
  allocate(dtype: ComputeDType, length: number): FloatArray;
  allocate(dtype: DType, length: number): TensorData;

  /** True if the array is read and written in place; others are copied, in each stage anew. */
  isNear(array: TensorData): boolean;

  /** Gives back an array of `allocate`, which must not be used any more. Others: no effect. */
  release(array: TensorData): void;

  /**
   * Takes the memory that calls with up to `channels` channels need besides their arrays, forever.
   * Calls without it take what they need, and may fail halfway if memory is exhausted.
   * @throws RangeError as `allocate`
   */
  reserve(channels: number): void;

  /**
   * Channels that a backward call should handle at a time: as many as stay in the cache between the
   * two passes over them, or all if blocks gain nothing. At least 1.
   */
  channelsPerBlock(layout: Layout): number;

  /**
   * Writes the mean and M2 of each channel's values; both 0 when there are no values.
   * @returns values per channel that count
   */
  moments(
    mean: Float64Array,
    m2: Float64Array,
    x: TensorData,
    layout: Layout,
    range: ChannelRange,
  ): number;

  /** Writes y = (x - mean) * invstd * weight + bias. */
  normalize(
    y: TensorData,
    x: TensorData,
    by: Normalization,
    layout: Layout,
    range: ChannelRange,
  ): void;

  /** Writes sum(dy) and sum(dy * xhat) of each channel. */
  gradientSums(
    sums: GradientSums,
    dy: TensorData,
    x: TensorData,
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
    dx: TensorData,
    dy: TensorData,
    x: TensorData,
    by: Normalization,
    means: GradientSums | null,
    layout: Layout,
    range: ChannelRange,
  ): void;

  /** The part that only calls with a tail need, and `init` loads. @throws Error before `init` */
  tails(): TailStages;

  /**
   * Begins the exact sums of each channel; core/exact-sum.ts tells how they are made. Their terms
   * depend on the values of one sample alone, and batches are split by sample: the bits do not
   * depend on the split, nor on the kernels of a rank. The arrays are read until `words` returns.
   */
  exactSums(terms: ExactTerms, layout: Layout): ExactSums;

  /**
   * Merges the moments of `ranks` ranks, in rank order (core/moments.ts), and returns their count.
   * @param mean as m2, written for all channels; both 0 if the count is
   * @param gathered for each rank its packed moments, `stride` numbers apart
   */
  mergeMoments(
    mean: Float64Array,
    m2: Float64Array,
    gathered: Float64Array,
    ranks: number,
    stride: number,
  ): number;

  /**
   * Writes 1 / sqrt(m2 / count + eps); count is above 0.
   * @returns true if all of them lie between 1 / most and most; NaN does not
   */
  inverseDeviations(
    invstd: Float64Array,
    m2: Float64Array,
    count: number,
    eps: number,
    most: number,
  ): boolean;

  /**
   * Writes `values`, a whole array, over `divisor`. `quotients` may be `values`; one element past
   * its end may be overwritten.
   */
  divide(quotients: Float64Array, values: Float64Array, divisor: number): void;

  /**
   * Moves running statistics towards those of a batch, in float64 and rounded once, all of one
   * length:
   *
   *     mean     = (1 - share) * mean + share * batch.mean
   *     variance = (1 - share) * variance + share * (batch.m2 / divisor)
   *
   * Both must be whole arrays, of `allocate` or any other: one element past the end may be
   * overwritten.
   */
  moveRunning(
    mean: FloatArray,
    variance: FloatArray,
    batch: { readonly mean: Float64Array; readonly m2: Float64Array },
    divisor: number,
    share: number,
  ): void;
}
