/**
 * What the two layers share: the passes over a tensor, modes and contexts.
 * A subclass says which statistics a call takes, over which group, and how running ones move.
 */

import type { DType, FloatArray } from '../core/dtype.js';
import { type Layout, layoutOf } from '../core/layout.js';
import type { Moments } from '../core/moments.js';
import type { Parameter } from '../core/parameter.js';
import { Tensor } from '../core/tensor.js';
import type { ProcessGroup } from '../group/process-group.js';
import { type BackwardOptions, ForwardContext, type ForwardOptions } from './context.js';
import { checkGradient, checkInput, checkInputShape } from './pass-checks.js';
import { checkOut, fillGradient, floatsFor, overlaps, storeFloats } from './results.js';
import type { RunningStatistics } from './running-statistics.js';
import type { BatchNormSetup } from './setup.js';
import { readState, type StateDict, writeState } from './state-dict.js';
import {
  type Affine,
  type BatchOptions,
  type Saved,
  Synchronization,
  setParts,
} from './synchronization.js';

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
      batchOptions: () => this.#batchOptions(),
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
    const group = this.#group();
    const own = this.#synchronization;
    const { out, y, values, layout } = own.failing(
      () => group,
      'forward',
      () => this.#startForward(x, options, group),
    );
    const affine = this.#affine();
    const saved =
      group === null
        ? this.#forwardByRunning(y, values, layout, affine)
        : own.forward(y, values, layout, affine, group, this.#batchOptions());
    storeFloats(y, out);
    const context = new ForwardContext(saved, x, values);
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
    const own = this.#synchronization;
    const { saved, out, values, dx } = own.failing(
      () => (context === null ? this.#group() : context.group),
      'backward',
      () => {
        const { saved, out } = this.#checkBackward(dy, context, options);
        return { saved, out, values: dy.toFloats(), dx: floatsFor(out) };
      },
    );
    const sums = own.backward(dx, values, context!.x, saved);
    context!.saved = null;
    storeFloats(dx, out);
    const { weight, bias } = this.#setup;
    fillGradient(weight, sums.dyXhat, options.accumulate === true);
    fillGradient(bias, sums.dy, options.accumulate === true);
    return out;
  }

  /** Ranks whose batch a call takes in the present mode; null: it takes the running statistics. */
  #group(): ProcessGroup | null {
    return this.usesBatchStatistics() ? this.batchGroup() : null;
  }

  #batchOptions(): BatchOptions {
    return this.#training ? TRAINING : INFERENCE;
  }

  #affine(): Affine {
    const { weight, bias, eps } = this.#setup;
    const values = weight === null ? null : weight.data.toFloats();
    return { weight: values, bias: bias === null ? null : bias.data.toFloats(), eps };
  }

  #forwardByRunning(y: FloatArray, x: FloatArray, layout: Layout, affine: Affine): Saved {
    const { mean, variance } = this.running!;
    const own = this.#synchronization;
    return own.forwardBy(y, x, layout, affine, mean.toFloats(), variance.toFloats());
  }

  /** Ends a context. */
  #recycle(context: ForwardContext): void {
    if (context.saved !== null) this.#synchronization.release(context.saved);
    context.saved = null;
  }

  /** Checks what a forward call is given, and takes all the memory that it needs. */
  #startForward(
    x: Tensor,
    { out: given }: ForwardOptions,
    group: ProcessGroup | null,
  ): { out: Tensor; y: FloatArray; values: FloatArray; layout: Layout } {
    checkInput(x, group, this.#setup);
    const { label } = this;
    const apart = !(given instanceof Tensor) || !overlaps(given, x);
    if (!apart && this.#training && this.usesBatchStatistics()) {
      throw new RangeError(`${label}: out may be the input in inference only; backward needs it`);
    }
    this.#synchronization.reserve(group);
    const out = checkOut(given, x, apart ? [] : [x], label);
    const layout = layoutOf(x.shape, this.channelsLast, this.#setup.dtype);
    return { out, y: floatsFor(out), values: x.toFloats(), layout };
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
