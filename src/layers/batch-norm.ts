/**
 * What the two layers share: the passes over a tensor, modes and contexts.
 * A subclass says which statistics a call takes, over which group, and how running ones move.
 */

import { isChecked } from '../core/check-mode.js';
import type { DType } from '../core/dtype.js';
import type { Moments } from '../core/moments.js';
import type { Parameter } from '../core/parameter.js';
import type { Tensor } from '../core/tensor.js';
import { after, before, checkBlocking, finished, type Pass, startInTurn } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Work } from '../group/transport.js';
import { type BackwardCall, type ForwardCall, prepareBackward, prepareForward } from './calls.js';
import { agreementOf, agreeNow, checkUnchanged, digestIfChecked } from './checked.js';
import {
  type BackwardOptions,
  ForwardContext,
  type Forwarded,
  type ForwardOptions,
} from './context.js';
import { setParts } from './parts.js';
import { checkInputShape } from './pass-checks.js';
import { fillGradient, overlaps, storeFloats } from './results.js';
import type { RunningStatistics } from './running-statistics.js';
import type { BatchNormSetup } from './setup.js';
import { readState, type StateDict, writeState } from './state-dict.js';
import {
  type BatchOptions,
  type GradientSums,
  type Saved,
  Synchronization,
} from './synchronization.js';

/** What a call asks of a batch. */
const TRAINING: BatchOptions = { leastCount: 2 };
const INFERENCE: BatchOptions = { track: false };

export abstract class BatchNorm {
  readonly numFeatures: number;
  readonly eps: number;
  readonly #setup: BatchNormSetup;
  #training: boolean;
  #last: ForwardContext | null = null;
  readonly #synchronization: Synchronization;

  protected constructor(setup: BatchNormSetup) {
    this.#setup = setup;
    this.numFeatures = setup.numFeatures;
    this.eps = setup.eps;
    this.#training = setup.training;
    const { weight, bias, numFeatures: channels } = setup;
    const track = (moments: Moments) => this.track(moments);
    this.#synchronization = new Synchronization({ ...setup, channels, track });
    const running = () => this.running;
    setParts(this, {
      synchronization: this.#synchronization,
      weight,
      bias,
      get running() {
        return running();
      },
      group: () => this.#group(),
      batchOptions: () => (this.#training ? TRAINING : INFERENCE),
      checkShape: (shape) => checkInputShape(shape, setup),
    });
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

  /** Batches that left the running statistics as they were, for NaN or infinity in them. */
  get skippedUpdates(): number {
    return this.#synchronization.skippedUpdates;
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
    const { weight, bias } = this.#setup;
    return [weight, bias].filter((p): p is Parameter => p?.trainable === true);
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
    return this.#keep(this.forwardWithContext(x, options));
  }

  /** Like {@link forward}, and hands out what its backward call needs, for several in a row. */
  forwardWithContext(x: Tensor, options: ForwardOptions = {}): Forwarded {
    const group = this.#group();
    const training = this.#training;
    const call = this.#startForward(x, options, group, training, true);
    const { y, values, layout, affine } = call;
    if (isChecked()) agreeNow(this.#agreement(group, training));
    const saved =
      group === null
        ? this.#forwardByRunning(call)
        : this.#synchronization.forward(
            y,
            values,
            layout,
            affine,
            group,
            training ? TRAINING : INFERENCE,
          );
    return this.#finishForward(call, saved, training);
  }

  /**
   * Like {@link forward}, for `await layer.startForward(x).done()`, on threads that may not block
   * and beside ranks that do. Passes of a thread run one at a time, in the order of their calls;
   * what is wrong with the arguments comes from the work. x must not change before it is over.
   */
  startForward(x: Tensor, options: ForwardOptions = {}): Work<Tensor> {
    const make = this.#makeForward(x, options);
    return this.#start(() => after(make(), (forwarded) => this.#keep(forwarded)));
  }

  /** Like {@link forwardWithContext}; see {@link startForward}. */
  startForwardWithContext(x: Tensor, options: ForwardOptions = {}): Work<Forwarded> {
    return this.#start(this.#makeForward(x, options));
  }

  /**
   * Gradient of the input of a forward call, from dy, the gradient of its output. Fills the
   * parameters' `grad` with LOCAL sums; `averageGradients` puts them together. dy must have one
   * scale on all ranks: where batches are uneven, that of the sum of all samples' losses.
   * @returns dx, of dy's shape and dtype
   * @throws Error without a forward call to go back through; RangeError for a dy that does not fit
   */
  backward(dy: Tensor, options: BackwardOptions = {}): Tensor {
    const call = this.#startBackward(dy, options, true);
    const { dx, values, context, saved } = call;
    return this.#finishBackward(call, this.#synchronization.backward(dx, values, context.x, saved));
  }

  /** Like {@link backward}; see {@link startForward}. */
  startBackward(dy: Tensor, options: BackwardOptions = {}): Work<Tensor> {
    return this.#start(() => {
      const call = this.#startBackward(dy, options, false);
      const { dx, values, context, saved } = call;
      const pass = this.#synchronization.backwardPass(dx, values, context.x, saved);
      return after(pass, (sums) => this.#finishBackward(call, sums));
    });
  }

  #start<T>(make: () => Pass<T>): Work<T> {
    return startInTurn(make, this.#group()?.mayBlock);
  }

  /** The mode is that of the call, whenever its turn comes. */
  #makeForward(x: Tensor, options: ForwardOptions): () => Pass<Forwarded> {
    const group = this.#group();
    const training = this.#training;
    return () => {
      const call = this.#startForward(x, options, group, training, false);
      const { y, values, layout, affine } = call;
      const own = this.#synchronization;
      const pass = () =>
        group === null
          ? finished(this.#forwardByRunning(call))
          : own.forwardPass(y, values, layout, affine, group, training ? TRAINING : INFERENCE);
      const all = before(this.#agreement(group, training), pass);
      return after(all, (saved) => this.#finishForward(call, saved, training));
    };
  }

  #agreement(group: ProcessGroup | null, training: boolean): Pass<void> | null {
    return isChecked() ? agreementOf(this, group, training, this.state()) : null;
  }

  /** The context of the last call that handed out none is the one that `backward` takes. */
  #keep({ output, context }: Forwarded): Tensor {
    // Nothing else holds the previous context, and backward can no longer use it.
    if (this.#last !== null) this.#recycle(this.#last);
    this.#last = context;
    return output;
  }

  /**
   * Checks a forward call, and takes all the memory that it needs.
   * @param blocking whether the caller waits for the ranks, and does not await them
   */
  #startForward(
    x: Tensor,
    options: ForwardOptions,
    group: ProcessGroup | null,
    training: boolean,
    blocking: boolean,
  ): ForwardCall {
    return this.#synchronization.failing(
      () => group,
      'forward',
      () => {
        if (blocking) checkBlocking(group, this.label, 'forward');
        const call = prepareForward(x, options, group, training, this.#setup);
        this.#synchronization.reserve(group);
        return call;
      },
    );
  }

  #finishForward({ x, out, y, values }: ForwardCall, saved: Saved, training: boolean): Forwarded {
    storeFloats(y, out);
    const context = new ForwardContext(saved, x, values, digestIfChecked(x));
    if ((saved.group === null || !training) && overlaps(out, x)) this.#recycle(context);
    return { output: out, context };
  }

  #startBackward(dy: Tensor, options: BackwardOptions, blocking: boolean): BackwardCall {
    const context = options.context ?? this.#last;
    return this.#synchronization.failing(
      () => (context === null ? this.#group() : context.group),
      'backward',
      () => {
        if (blocking) checkBlocking(context?.group ?? null, this.label, 'backward');
        checkUnchanged(context, this.label);
        return prepareBackward(dy, context, options, this.label);
      },
    );
  }

  #finishBackward({ context, out, dx, accumulate }: BackwardCall, sums: GradientSums): Tensor {
    context.saved = null;
    storeFloats(dx, out);
    const { weight, bias } = this.#setup;
    fillGradient(weight, sums.dyXhat, accumulate);
    fillGradient(bias, sums.dy, accumulate);
    return out;
  }

  /** Ranks whose batch a call takes in the present mode; null: it takes the running statistics. */
  #group(): ProcessGroup | null {
    return this.usesBatchStatistics() ? this.batchGroup() : null;
  }

  #forwardByRunning({ y, values, layout, affine }: ForwardCall): Saved {
    const [mean, variance] = [this.running!.mean.toFloats(), this.running!.variance.toFloats()];
    return this.#synchronization.forwardBy(y, values, layout, affine, mean, variance);
  }

  /** Ends a context. */
  #recycle(context: ForwardContext): void {
    if (context.saved !== null) this.#synchronization.release(context.saved);
    context.saved = null;
  }
}
