/**
 * The door for adapters: synchronized batch normalization of arrays, without tensors, modes and
 * contexts. The package's layers stand on it, and so does a layer of another framework, which
 * keeps its own parameters and running statistics.
 *
 * An adapter makes one {@link Synchronization} for each of its layers, or takes the one of a layer
 * of this package (parts.ts). Then it has two ways:
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
 * - Code of an adapter between two collectives may fail on one rank alone. It goes into `failing`,
 *   or, for a step of several collectives, through `Peers` of adapters/shared, so that no rank
 *   waits for one that gave up.
 */

import type { FloatArray, TensorData } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import type { Moments } from '../core/moments.js';
import { after, finished, meeting, type Pass, runNow, startInTurn } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import { soloGroup } from '../group/solo.js';
import { tellError } from '../group/tell-peers.js';
import type { Work } from '../group/transport.js';
import { isInitialized } from '../group/world.js';
import { BackwardPass, type GradientSums, type Saved } from '../ops/backward.js';
import {
  batchStatistics,
  finishStatistics,
  nearInput,
  normalizeBatch,
  normalizeBy,
} from '../ops/forward.js';
import { currentKernels, type Kernels } from '../ops/kernels.js';
import type { Near } from '../ops/memory/near.js';
import { reserve } from '../ops/memory/scratch.js';
import { Keeper, type Statistics } from '../ops/memory/statistics.js';
import { GATHER_RANKS, mergeMoments } from '../ops/merge/merge.js';
import type { Affine, Scope } from '../ops/scope.js';
import { allFinite } from './running-statistics.js';
import type { BatchOptions, SynchronizationOptions } from './synchronization-options.js';

export { type Pass, startInTurn } from '../group/pass.js';
export type { GradientSums, Saved } from '../ops/backward.js';
export type { Kernels } from '../ops/kernels.js';
export type { Affine, Tail } from '../ops/scope.js';

export type { BatchOptions, SynchronizationOptions } from './synchronization-options.js';

const NO_OPTIONS: BatchOptions = {};

/** One layer's meeting with the other ranks. Not a layer: it holds no parameters. */
export class Synchronization {
  readonly label: string;
  readonly channels: number;
  readonly reproducible: boolean;
  /** Batches that left the running statistics as they were, because of NaN or infinity. */
  skippedUpdates = 0;
  readonly #options: SynchronizationOptions;
  readonly #kernels: Kernels;
  readonly #gatherRanks: number;
  readonly #keeper: Keeper;

  constructor(options: SynchronizationOptions) {
    this.label = options.label;
    this.channels = options.channels;
    this.reproducible = options.reproducible ?? false;
    this.#options = options;
    this.#kernels = options.kernels ?? currentKernels();
    this.#gatherRanks = options.gatherRanks ?? GATHER_RANKS;
    this.#keeper = new Keeper(this.#kernels, options.channels, options.dtype ?? 'float32');
  }

  /**
   * Writes y = (x - mean) * invstd * weight + bias, with the tail, by the statistics of the group's
   * batch, which the running statistics learn. Blocks until the ranks have met.
   * @param y as x, samples * channels * plane elements of the layout's type; may be of any origin.
   *   May be longer if a rank brings no samples of its own: elements past the samples stay as they
   *   are
   * @param weight of `affine`, copied for the backward call, as are the statistics
   * @returns the input of `backward`; it holds no array of the caller's
   * @throws RangeError on every rank, before anything is written to y, for a count below
   *   `leastCount`, and by `onNonFinite: 'throw'`; when memory is exhausted, see `reserve`
   */
  forward(
    y: TensorData,
    x: TensorData,
    layout: Layout,
    affine: Affine,
    group: ProcessGroup,
    options: BatchOptions = {},
  ): Saved {
    const statistics = this.#keeper.take(affine.weight);
    try {
      const input = nearInput(x, y, layout, this.#kernels, this.reproducible);
      runNow(batchStatistics(statistics, input, layout, this.#scope(group, options, affine.eps)));
      return this.#normalize(y, input, layout, affine, group, options, statistics);
    } catch (error) {
      this.#keeper.give(statistics);
      throw error;
    }
  }

  /** Makes a forward call a pass, for `startInTurn`. */
  forwardPass(
    y: TensorData,
    x: TensorData,
    layout: Layout,
    affine: Affine,
    group: ProcessGroup,
    options: BatchOptions = {},
  ): Pass<Saved> {
    const statistics = this.#keeper.take(affine.weight);
    const input = nearInput(x, y, layout, this.#kernels, this.reproducible);
    return after(
      batchStatistics(statistics, input, layout, this.#scope(group, options, affine.eps)),
      () => this.#normalize(y, input, layout, affine, group, options, statistics),
      () => this.#keeper.give(statistics),
    );
  }

  /** Does the rest of a forward call, once the ranks have met. */
  #normalize(
    y: TensorData,
    input: Near,
    layout: Layout,
    affine: Affine,
    group: ProcessGroup,
    options: BatchOptions,
    statistics: Statistics,
  ): Saved {
    const areFinite = finishStatistics(statistics, affine.eps, layout, this.#kernels);
    this.#learn(statistics, options, areFinite);
    normalizeBatch(y, input, statistics, affine, layout);
    return { statistics, layout, group };
  }

  /** Normalises by a given mean and variance; sends nothing, and nothing learns. y may be x. */
  forwardBy(
    y: TensorData,
    x: TensorData,
    layout: Layout,
    affine: Affine,
    mean: FloatArray,
    variance: FloatArray,
  ): Saved {
    const statistics = this.#keeper.take(affine.weight);
    normalizeBy(y, x, mean, variance, statistics, affine, layout, this.#kernels);
    return { statistics, layout, group: null };
  }

  /**
   * Writes the gradient of the input. Blocks until the ranks have met, if they met in the forward
   * call.
   * @param dx may be dy
   * @param x input of the forward call, given again: views of it may have moved since
   * @param saved of the forward call; used once, and released unless the call fails
   * @returns the LOCAL sums of dy (the gradient of bias) and dy * xhat (of weight), valid until the
   *   next pass
   */
  backward(dx: TensorData, dy: TensorData, x: TensorData, saved: Saved): GradientSums {
    const scope = this.#scope(saved.group ?? soloGroup, NO_OPTIONS);
    const sums = runNow(new BackwardPass(dx, dy, x, saved, scope));
    this.release(saved);
    return sums;
  }

  /** Makes a backward call a pass, for `startInTurn`. */
  backwardPass(dx: TensorData, dy: TensorData, x: TensorData, saved: Saved): Pass<GradientSums> {
    const scope = this.#scope(saved.group ?? soloGroup, NO_OPTIONS);
    const pass = new BackwardPass(dx, dy, x, saved, scope);
    return after(pass, (sums) => {
      this.release(saved);
      return sums;
    });
  }

  /** Gives up the statistics of a forward call that no backward call follows. */
  release(saved: Saved): void {
    this.#keeper.give(saved.statistics);
  }

  /**
   * Takes all the memory that calls over `group` need, so that they do not run out of it between
   * two collectives. Belongs into `failing`.
   * @throws RangeError when memory is exhausted
   */
  reserve(group: ProcessGroup | null): void {
    const ranks = group === null ? 1 : group.size;
    reserve(this.#kernels, this.channels, ranks <= this.#gatherRanks ? ranks : 2);
    this.#keeper.reserve();
  }

  /**
   * Starts merging moments that an adapter has computed itself over the group, and learns them, as
   * `forward` does. A group of one sends nothing.
   * @param own of this rank; all zeros if it has no values
   * @returns the group's moments: the count is the divisor of sums of gradients
   * @throws as `forward`
   */
  startMerge(own: Moments, group: ProcessGroup, options: BatchOptions = {}): Work<Moments> {
    return startInTurn(() => this.#merge(own, group, options), group.mayBlock);
  }

  /** Starts summing numbers over the group, in place and in rank order; alone, sends nothing. */
  startSum(
    sums: Float64Array,
    group: ProcessGroup,
    { label = this.label }: { label?: string } = {},
  ): Work<Float64Array> {
    const make = () =>
      group.size === 1 ? finished(sums) : meeting(group.allReduce(sums, { label }), sums);
    return startInTurn(make, group.mayBlock);
  }

  /**
   * Runs `check`. If it throws, the group's other ranks fail in their next collective, with its
   * text, instead of waiting for this one.
   * @param groupOf asked only then; null: nobody waits
   * @param call name of the call in errors: 'forward'
   */
  failing<T>(groupOf: () => ProcessGroup | null, call: string, check: () => T): T {
    try {
      return check();
    } catch (error) {
      this.fail(error, groupOf, call);
    }
  }

  /** Throws `error`, as `failing` does. */
  fail(error: unknown, groupOf: () => ProcessGroup | null, call: string): never {
    tellError(isInitialized() ? groupOf() : null, error, this.label, ` (in ${call})`);
    throw error;
  }

  #merge(own: Moments, group: ProcessGroup, options: BatchOptions): Pass<Moments> {
    const statistics = this.#keeper.take(null);
    const give = () => this.#keeper.give(statistics);
    statistics.count = own.count;
    statistics.mean.set(own.mean);
    statistics.m2.set(own.m2);
    const pass =
      group.size === 1
        ? finished(statistics)
        : mergeMoments(statistics, Number.POSITIVE_INFINITY, this.#scope(group, options));
    const finish = () => {
      const { count, mean, m2 } = statistics;
      this.#learn(statistics, options);
      give();
      return { count, mean: mean.slice(), m2: m2.slice() };
    };
    return after(pass, finish, give);
  }

  /**
   * Learns a batch, unless it is empty, or holds NaN or infinity. All ranks act alike.
   * @param areFinite true if it is known that it holds neither
   */
  #learn(
    moments: Moments,
    { leastCount = 1, track = true }: BatchOptions,
    areFinite = false,
  ): void {
    const { count } = moments;
    if (count === 0) return;
    if (count < leastCount) {
      throw new RangeError(
        `${this.label}: training needs more than one value per channel over the group, got ${count}`,
      );
    }
    if (!track) return;
    const { track: take, onNonFinite = 'skip', dtype = 'float32' } = this.#options;
    const isTaken = areFinite || onNonFinite === 'propagate' || allFinite(moments, dtype);
    if (isTaken) take?.(moments);
    else if (onNonFinite === 'skip') this.skippedUpdates++;
    else throw new RangeError(`${this.label}: the group's batch holds NaN or infinity`);
  }

  #scope(group: ProcessGroup, { label }: BatchOptions, eps = 1): Scope {
    return {
      eps,
      kernels: this.#kernels,
      group,
      label: label ?? this.#options.collectiveLabel?.() ?? this.label,
      reproducible: this.reproducible,
      groupGradients: this.#options.groupGradients ?? false,
      gatherRanks: this.#gatherRanks,
    };
  }
}
