/**
 * What the two layers share: the passes over a tensor, modes and contexts.
 * A subclass says which statistics a call takes, over which group, and how running ones move.
 */

import type { DType, FloatArray } from '../core/dtype.js';
import { layoutOf } from '../core/layout.js';
import type { Moments } from '../core/moments.js';
import type { Parameter } from '../core/parameter.js';
import { Tensor } from '../core/tensor.js';
import type { ProcessGroup } from '../group/process-group.js';
import { soloGroup } from '../group/solo.js';
import { tellingPeers } from '../group/tell-peers.js';
import { isInitialized } from '../group/world.js';
import { backward, type Saved } from '../ops/backward.js';
import { forward, normalize, setStatistics } from '../ops/forward.js';
import { Keeper } from '../ops/kept.js';
import type { Affine, Scope } from '../ops/scope.js';
import { reserve } from '../ops/workspace.js';
import { type BackwardOptions, ForwardContext, type ForwardOptions } from './context.js';
import { checkGradient, checkInput, checkInputShape } from './pass-checks.js';
import { checkOut, fillGradient, floatsFor, overlaps, storeFloats } from './results.js';
import { allFinite, type RunningStatistics } from './running-statistics.js';
import type { BatchNormSetup, Parts } from './setup.js';
import { readState, type StateDict, writeState } from './state-dict.js';

/** What a forward call fills in for its backward call. */
type Pass = { -readonly [K in keyof Saved]: Saved[K] };

export abstract class BatchNorm {
  readonly numFeatures: number;
  readonly eps: number;
  /** Batches that left the running statistics as they were, for NaN or infinity in them. */
  skippedUpdates = 0;
  readonly #setup: BatchNormSetup;
  #training: boolean;
  #last: ForwardContext | null = null;
  readonly #keeper = new Keeper();

  protected constructor(setup: BatchNormSetup) {
    this.#setup = setup;
    this.numFeatures = setup.numFeatures;
    this.eps = setup.eps;
    this.#training = setup.training;
  }

  /** Whether a call takes the batch's statistics (true) or the running ones. */
  protected abstract usesBatchStatistics(): boolean;
  /** The group over which a call with the batch's statistics runs. */
  protected abstract batchGroup(): ProcessGroup;
  protected abstract readonly running: RunningStatistics | null;
  /** Moves the running statistics towards a batch's; called in training. */
  protected abstract track(moments: Moments): void;
  /** Named tensors of the state, in a fixed order; written in place by `loadStateDict`. */
  protected abstract state(): StateDict;

  /** Element type of parameters and buffers. */
  get dtype(): DType {
    return this.#setup.dtype;
  }

  /** What collectives and errors call this layer. */
  get label(): string {
    return this.#setup.label;
  }

  get channelsLast(): boolean {
    return this.#setup.channelsLast;
  }

  get training(): boolean {
    return this.#training;
  }

  /** Training mode, or inference with `false`. */
  setTrain(flag = true): this {
    if (typeof flag !== 'boolean') {
      throw new TypeError(`${this.label}: setTrain takes true or false, got ${String(flag)}`);
    }
    this.#training = flag;
    return this;
  }

  /** The trained parameters. */
  parameters(): Parameter[] {
    const { scale, shift } = this.#setup;
    return [scale, shift].filter((p): p is Parameter => p?.trainable === true);
  }

  /** A copy of parameters and buffers, by name. */
  stateDict(): StateDict {
    return readState(this.state());
  }

  /**
   * Takes over parameters and buffers; nothing changes unless all fit.
   * @throws RangeError for missing or unknown names and wrong shapes
   */
  loadStateDict(state: StateDict): void {
    writeState(this.state(), state, this.label);
  }

  /**
   * Normalises x of shape (N, C, +), or (N, +, C) with `channelsLast`. In training every rank of
   * the group must call it, also one whose N is 0.
   * @returns y, of x's shape and dtype
   * @throws TypeError for x that is not a Tensor; RangeError for a wrong shape or dtype, and where
   *   the group's batch has only one value per channel. Errors reach every rank of the group.
   */
  forward(x: Tensor, options: ForwardOptions = {}): Tensor {
    const { output, context } = this.forwardWithContext(x, options);
    // Nobody else has the last one, which can be gone back through no more.
    if (this.#last !== null) this.#recycle(this.#last);
    this.#last = context;
    return output;
  }

  /** Like {@link forward}, and hands out what its backward call needs, for several in a row. */
  forwardWithContext(
    x: Tensor,
    options: ForwardOptions = {},
  ): { output: Tensor; context: ForwardContext } {
    const group = this.statisticsGroup();
    const { out, y, pass } = this.#tellingPeers(
      () => group,
      'forward',
      () => this.#startForward(x, options, group),
    );
    const context = new ForwardContext(pass, x, group ?? soloGroup);
    try {
      if (group === null) this.#fixedPass(y, pass);
      else this.#batchPass(y, pass, group);
    } catch (error) {
      this.#recycle(context);
      throw error;
    }
    storeFloats(y, out);
    if ((group === null || !this.#training) && overlaps(out, x)) this.#recycle(context);
    return { output: out, context };
  }

  /**
   * Gradient of the input of a forward call, from dy, the gradient of its output. Fills the
   * parameters' `grad` with LOCAL sums; `averageGradients` puts them together. dy must have one
   * scale on all ranks: where batches are uneven, that of the sum of all samples' losses.
   * @returns dx, of dy's shape and dtype
   * @throws Error without a forward call to go back through; RangeError for a dy that does not fit
   */
  backward(dy: Tensor, options: BackwardOptions = {}): Tensor {
    const context = options.context ?? this.#last;
    const { saved, out, values, dx } = this.#tellingPeers(
      () => context?.group ?? this.statisticsGroup(),
      'backward',
      () => {
        const { saved, out } = this.#checkBackward(dy, context, options);
        return { saved, out, values: dy.toFloats(), dx: floatsFor(out) };
      },
    );
    const sums = backward(dx, values, saved, this.#scope(context!.group));
    storeFloats(dx, out);
    this.#recycle(context!);
    const { scale, shift } = this.#setup;
    fillGradient(scale, sums.dyXhat, options.accumulate === true);
    fillGradient(shift, sums.dy, options.accumulate === true);
    return out;
  }

  /** What an adapter needs of the layer, which then normalises by itself. */
  parts(): Parts {
    const { scale, shift, reproducible } = this.#setup;
    return { running: this.running, scale, shift, reproducible };
  }

  /** Ranks whose batch a call takes in the present mode; null: it takes the running statistics. */
  statisticsGroup(): ProcessGroup | null {
    return this.usesBatchStatistics() ? this.batchGroup() : null;
  }

  /**
   * Takes in a batch's moments over the group, as `forward` does in training. All ranks hold the
   * same moments here, so all throw, skip and update alike.
   * @throws RangeError for a count of 1, and by `onNonFinite: 'throw'`
   */
  learn(moments: Moments): void {
    this.#admit(moments.count);
    if (moments.count === 0) return;
    if (allFinite(moments, this.#setup.dtype) || this.#setup.onNonFinite === 'propagate') {
      this.track(moments);
      return;
    }
    if (this.#setup.onNonFinite === 'throw') {
      throw new RangeError(`${this.label}: the group's batch holds NaN or infinity`);
    }
    this.skippedUpdates++;
  }

  /** @throws RangeError unless an input may have this shape */
  checkShape(shape: readonly number[]): void {
    checkInputShape(shape, this.#setup);
  }

  #scope(group: ProcessGroup): Scope {
    const { label, reproducible } = this.#setup;
    return { group, label, reproducible };
  }

  #affine(): Affine {
    const { scale, shift, eps } = this.#setup;
    const weight = scale === null ? null : scale.data.toFloats();
    return { weight, bias: shift === null ? null : shift.data.toFloats(), eps };
  }

  /** Normalises by the running statistics. */
  #fixedPass(y: FloatArray, { x, layout, kept }: Pass): void {
    const { mean, variance } = this.running!;
    const affine = this.#affine();
    const values = mean.toFloats();
    setStatistics(kept.statistics, values, values, variance.toFloats(), affine.eps);
    normalize(y, x, kept.statistics, affine, layout);
  }

  /** Normalises by the statistics of the group's batch, which running statistics learn. */
  #batchPass(y: FloatArray, pass: Pass, group: ProcessGroup): void {
    const { x, layout, kept } = pass;
    const admit = (count: number) => this.#admit(count);
    const scope = this.#scope(group);
    const affine = this.#affine();
    const normalized = forward(y, x, layout, affine, scope, kept.statistics, admit);
    if (this.#training) this.learn(normalized.moments);
    pass.count = normalized.moments.count;
    pass.channelsPerBlock = normalized.channelsPerBlock;
  }

  /** Ends a context. */
  #recycle(context: ForwardContext): void {
    if (context.saved !== null) this.#keeper.give(context.saved.kept);
    context.saved = null;
  }

  /** Every rank of the group knows the count, so all throw alike. */
  #admit(count: number): void {
    if (count !== 1 || !this.#training) return;
    throw new RangeError(
      `${this.label}: training needs more than one value per channel over the group, got 1`,
    );
  }

  /** Runs a check; where it fails, the group's other ranks fail too instead of waiting. */
  #tellingPeers<T>(groupOf: () => ProcessGroup | null, call: string, check: () => T): T {
    const known = () => (isInitialized() ? groupOf() : null);
    return tellingPeers(known, this.label, ` (in ${call})`, check);
  }

  /** Checks what a forward call is given, and takes all the memory that it needs. */
  #startForward(
    x: Tensor,
    { out: given }: ForwardOptions,
    group: ProcessGroup | null,
  ): { out: Tensor; y: FloatArray; pass: Pass } {
    checkInput(x, group, this.#setup);
    const { label, numFeatures } = this;
    const apart = !(given instanceof Tensor) || !overlaps(given, x);
    if (!apart && this.#training && this.usesBatchStatistics()) {
      throw new RangeError(`${label}: out may be the input in inference only; backward needs it`);
    }
    reserve(numFeatures, group?.size ?? 1);
    const out = checkOut(given, x, apart ? [] : [x], label);
    const y = floatsFor(out);
    const layout = layoutOf(x.shape, this.channelsLast);
    const values = x.toFloats();
    const kept = this.#keeper.take(numFeatures, this.#affine().weight);
    const pass = { x: values, layout, kept, count: null, channelsPerBlock: numFeatures };
    return { out, y, pass };
  }

  #checkBackward(
    dy: Tensor,
    context: ForwardContext | null,
    { out }: BackwardOptions,
  ): { saved: Saved; out: Tensor } {
    const saved = checkGradient(dy, context, this.label);
    return { saved, out: checkOut(out, dy, [dy, context!.input], this.label) };
  }
}
