/**
 * The door for adapters: synchronized batch normalization of arrays, without tensors, modes and
 * contexts. The package's layers stand on it, and so does a layer of another framework, which
 * keeps its own parameters and running statistics.
 *
 * An adapter makes one {@link Synchronization} for each of its layers, or takes that of a layer of
 * this package with {@link partsOf}. Then it has two ways:
 *
 * | the arithmetic | calls |
 * |---|---|
 * | the package's kernels, on arrays of any origin | `forward` or `forwardBy`, then `backward` |
 * | the framework's own operations | `startMerge` of its own moments, then `startSum` of its own sums |
 *
 * Rules, for both:
 * - Every rank of the group makes the same calls in the same order, with the same label. A rank
 *   without samples brings a layout of 0 samples, or moments of count 0 and sums of 0.
 * - All ranks hold bitwise the same merged moments, so all throw, skip and learn alike.
 * - What an adapter does between two collectives may fail on one rank alone: it goes into
 *   `failing`, or, for a step of several collectives, through `Peers` of adapters/shared, so that
 *   no rank waits for one that gave up.
 */

import type { ComputeDType, FloatArray } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import { type Moments, packedLength, viewPacked } from '../core/moments.js';
import type { Parameter } from '../core/parameter.js';
import type { ProcessGroup } from '../group/process-group.js';
import { soloGroup } from '../group/solo.js';
import { tellingPeers } from '../group/tell-peers.js';
import type { Work } from '../group/transport.js';
import { isInitialized } from '../group/world.js';
import { backward, type GradientSums, type Saved } from '../ops/backward.js';
import { chain, finished } from '../ops/chain.js';
import { exchangeMoments, exchangeSums } from '../ops/exchange.js';
import { forward, normalize, setStatistics } from '../ops/forward.js';
import { Keeper } from '../ops/kept.js';
import { currentKernels, type Kernels } from '../ops/kernels.js';
import type { Affine, Scope } from '../ops/scope.js';
import { reserve } from '../ops/workspace.js';
import type { NonFiniteRule } from './common-options.js';
import { allFinite, type RunningStatistics } from './running-statistics.js';

export type { GradientSums, Saved } from '../ops/backward.js';
export type { Kernels } from '../ops/kernels.js';
export type { Affine } from '../ops/scope.js';

export interface SynchronizationOptions {
  /** What collectives and errors call the layer; the same on all ranks. */
  readonly label: string;
  /** Number of channels C. */
  readonly channels: number;
  /** Of weights and of running statistics, which a finite batch must fit. Default 'float32'. */
  readonly dtype?: ComputeDType;
  /** What a batch with NaN or infinity does to the running statistics. Default 'skip'. */
  readonly onNonFinite?: NonFiniteRule;
  /** Whether results must not depend on how the batch is split over ranks. Default false. */
  readonly reproducible?: boolean;
  /**
   * Takes a finite batch over into the running statistics: `count`, `mean` and `m2` are the group's,
   * count above 0. The arrays are valid during the call only. Default: nothing learns.
   */
  readonly track?: (moments: Moments) => void;
  /** Default: those of this thread. */
  readonly kernels?: Kernels;
}

/** Options of a call that takes the group's batch. */
export interface BatchOptions {
  /** Whether the running statistics learn from it. Default true. */
  readonly track?: boolean;
  /**
   * The fewest values per channel that the group's batch may have, if it has any: 2 where the
   * variance is unbiased. Default 1.
   */
  readonly leastCount?: number;
  /** What collectives call it instead of the layer's label. */
  readonly label?: string;
}

/** One layer's meeting with the other ranks. Not a layer: it holds no parameters. */
export class Synchronization {
  readonly label: string;
  readonly channels: number;
  readonly reproducible: boolean;
  /** Batches that left the running statistics as they were, for NaN or infinity in them. */
  skippedUpdates = 0;
  readonly #options: SynchronizationOptions;
  readonly #kernels: Kernels;
  readonly #keeper: Keeper;

  constructor(options: SynchronizationOptions) {
    this.label = options.label;
    this.channels = options.channels;
    this.reproducible = options.reproducible ?? false;
    this.#options = options;
    this.#kernels = options.kernels ?? currentKernels();
    this.#keeper = new Keeper(this.#kernels, options.channels, options.dtype ?? 'float32');
  }

  /**
   * Writes y = (x - mean) * invstd * weight + bias with the statistics of the group's batch, which
   * the running statistics learn. Blocks until the ranks have met.
   * @param y as x, samples * channels * plane elements of one type; may be of any origin. May be
   *   longer where a rank brings no samples of its own: what is past them is left alone
   * @param weight of `affine`, copied for the backward call, as are the statistics
   * @returns what `backward` needs; it holds no array of the caller's
   * @throws RangeError on every rank, before anything is written to y, for a count below
   *   `leastCount`, and by `onNonFinite: 'throw'`; where memory is exhausted, see `reserve`
   */
  forward(
    y: FloatArray,
    x: FloatArray,
    layout: Layout,
    affine: Affine,
    group: ProcessGroup,
    options: BatchOptions = {},
  ): Saved {
    const kept = this.#keeper.take(affine.weight);
    try {
      const { statistics } = kept;
      const admit = (count: number) => this.#admit(count, options);
      const scope = this.#scope(group, options);
      const { moments, channelsPerBlock } = forward(y, x, layout, affine, scope, statistics, admit);
      if (options.track !== false) this.#learn(moments);
      return { kept, layout, group, count: moments.count, channelsPerBlock };
    } catch (error) {
      this.#keeper.give(kept);
      throw error;
    }
  }

  /** The same with given statistics of length C; sends nothing, and nothing learns. y may be x. */
  forwardBy(
    y: FloatArray,
    x: FloatArray,
    layout: Layout,
    affine: Affine,
    mean: FloatArray,
    variance: FloatArray,
  ): Saved {
    const kept = this.#keeper.take(affine.weight);
    setStatistics(kept.statistics, mean, mean, variance, affine.eps);
    normalize(y, x, kept.statistics, affine, layout, this.#kernels);
    return { kept, layout, group: null, count: 0, channelsPerBlock: this.channels };
  }

  /**
   * Writes the gradient of the input and returns the LOCAL sums of dy (the gradient of bias) and
   * dy * xhat (of weight), valid until the next call. Blocks until the ranks have met, if they met
   * in the forward call.
   * @param dx may be dy
   * @param x that of the forward call, given again: views of it may have moved since
   * @param saved of the forward call; used once, and released
   */
  backward(dx: FloatArray, dy: FloatArray, x: FloatArray, saved: Saved): GradientSums {
    const sums = backward(dx, dy, x, saved, this.#scope(saved.group ?? soloGroup));
    this.release(saved);
    return sums;
  }

  /** Gives up what a forward call has saved; for one that no backward call follows. */
  release(saved: Saved): void {
    this.#keeper.give(saved.kept);
  }

  /**
   * Takes all the memory that calls over `group` need, so that they do not run out of it between
   * two collectives. Belongs into `failing`.
   * @throws RangeError when memory is exhausted
   */
  reserve(group: ProcessGroup | null): void {
    reserve(this.#kernels, this.channels, group?.size ?? 1);
    this.#keeper.reserve();
  }

  /**
   * Merges moments that an adapter has computed itself over the group, and learns them, as
   * `forward` does. A group of one sends nothing.
   * @param own of this rank; all zeros where it has no values
   * @returns the group's moments: the count is what sums of gradients are divided by
   * @throws as `forward`
   */
  startMerge(own: Moments, group: ProcessGroup, options: BatchOptions = {}): Work<Moments> {
    const { label = this.label } = options;
    const packed = new Float64Array(packedLength(this.channels));
    packed[0] = own.count;
    const view = viewPacked(packed, this.channels);
    view.mean.set(own.mean);
    view.m2.set(own.m2);
    const merged =
      group.size === 1 ? finished(view) : exchangeMoments(group, packed, this.channels, label);
    return chain(merged, ({ count, mean, m2 }) => {
      const moments = { count, mean, m2 };
      this.#admit(count, options);
      if (options.track !== false) this.#learn(moments);
      return moments;
    });
  }

  /** Sums numbers over the group, in place and in rank order. A group of one sends nothing. */
  startSum(
    sums: Float64Array,
    group: ProcessGroup,
    { label = this.label }: { label?: string } = {},
  ): Work<Float64Array> {
    return group.size === 1 ? finished(sums) : exchangeSums(group, sums, label);
  }

  /**
   * Runs `check`; where it throws, the group's other ranks fail in their next collective, with its
   * text, instead of waiting for this one.
   * @param groupOf asked only then; null: nobody waits
   * @param call what errors say it was in: 'forward'
   */
  failing<T>(groupOf: () => ProcessGroup | null, call: string, check: () => T): T {
    const known = () => (isInitialized() ? groupOf() : null);
    return tellingPeers(known, this.label, ` (in ${call})`, check);
  }

  /** Takes a batch over, unless it is empty, or holds NaN or infinity. */
  #learn(moments: Moments): void {
    const { track, onNonFinite = 'skip', dtype = 'float32' } = this.#options;
    if (moments.count === 0) return;
    if (onNonFinite === 'propagate' || allFinite(moments, dtype)) {
      track?.(moments);
      return;
    }
    if (onNonFinite === 'throw') {
      throw new RangeError(`${this.label}: the group's batch holds NaN or infinity`);
    }
    this.skippedUpdates++;
  }

  /** Every rank of the group knows the count, so all throw alike. */
  #admit(count: number, { leastCount = 1 }: BatchOptions): void {
    if (count === 0 || count >= leastCount) return;
    throw new RangeError(
      `${this.label}: training needs more than one value per channel over the group, got ${count}`,
    );
  }

  #scope(group: ProcessGroup, { label = this.label }: BatchOptions = {}): Scope {
    return { kernels: this.#kernels, group, label, reproducible: this.reproducible };
  }
}

/** What an adapter needs of a layer of this package. */
export interface LayerParts {
  readonly synchronization: Synchronization;
  /** Null where the layer has none. */
  readonly running: RunningStatistics | null;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  /** Ranks whose batch a call takes in the present mode; null: it takes the running statistics. */
  group(): ProcessGroup | null;
  /** What a call in the present mode asks of the batch. */
  batchOptions(): BatchOptions;
  /** @throws RangeError unless an input may have this shape */
  checkShape(shape: readonly number[]): void;
}

const parts = new WeakMap<object, LayerParts>();

/** Makes a layer's parts known; for its constructor. */
export function setParts(layer: object, own: LayerParts): void {
  parts.set(layer, own);
}

/** The parts of a `SyncBatchNorm` or `GlobalBatchNorm`. @throws TypeError for anything else */
export function partsOf(layer: object): LayerParts {
  const own = parts.get(layer);
  if (own === undefined) throw new TypeError('partsOf: not a layer of syncbn');
  return own;
}
