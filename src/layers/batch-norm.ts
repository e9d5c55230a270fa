/**
 * The common part of the two layers: the passes over a tensor, modes and contexts. A subclass
 * decides which statistics a call takes, over which group, and how running ones move.
 */

import type { DType } from '../core/dtype.js';
import type { Moments } from '../core/moments.js';
import type { Parameter } from '../core/parameter.js';
import { show } from '../core/show.js';
import type { Tensor } from '../core/tensor.js';
import { after, type Pass, startInTurn } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Work } from '../group/transport.js';
import { refuseAssignments } from './assignments.js';
import { checkEps } from './checks.js';
import type { BackwardOptions, Forwarded, ForwardOptions } from './context.js';
import { type LayerParts, setParts } from './parts.js';
import { checkInputShape } from './pass-checks.js';
import { batchOptions, Passes } from './passes.js';
import type { RunningStatistics } from './running-statistics.js';
import type { BatchNormSetup } from './setup.js';
import {
  type LoadOptions,
  type LoadReport,
  readState,
  type StateDict,
  type StateDictLike,
  type StateOptions,
  writeState,
} from './state-dict.js';
import { Synchronization } from './synchronization.js';

export abstract class BatchNorm {
  static {
    refuseAssignments(BatchNorm.prototype);
  }

  readonly #setup: BatchNormSetup;
  #training: boolean;
  #collectives: string | null = null;
  readonly #synchronization: Synchronization;
  readonly #passes: Passes;

  protected constructor(setup: BatchNormSetup) {
    this.#setup = setup;
    this.#training = setup.training;
    const { weight, bias, numFeatures: channels } = setup;
    const track = (moments: Moments) => {
      this.track(moments);
      parts.observer?.(moments);
    };
    const collectiveLabel = () => this.#collectiveLabel();
    this.#synchronization = new Synchronization({ ...setup, channels, track, collectiveLabel });
    const running = () => this.running;
    const owner = {
      label: setup.label,
      state: () => this.state(),
      toString: () => this.toString(),
      get runningStatistics() {
        return running();
      },
    };
    this.#passes = new Passes(setup, this.#synchronization, owner);
    const parts: LayerParts = {
      synchronization: this.#synchronization,
      weight,
      bias,
      get running() {
        return running();
      },
      group: this.#groupOf,
      collectiveLabel,
      batchOptions: () => batchOptions(this.#training),
      checkShape: (shape) => checkInputShape(shape, setup),
      observer: null,
      adopt: (moments) => this.adopt(moments),
    };
    setParts(this, parts);
  }

  /** True if a call takes the batch's statistics, false if it takes the running statistics. */
  protected abstract usesBatchStatistics(): boolean;
  /** The group over which a call with the batch's statistics runs. */
  protected abstract batchGroup(): ProcessGroup;
  protected abstract get running(): RunningStatistics | null;
  /** Moves the running statistics towards a batch's; called in training. */
  protected abstract track(moments: Moments): void;
  /** Makes a batch's statistics the running ones. */
  protected abstract adopt(moments: Moments): void;
  /** Named tensors of the state, in a fixed order; written in place by `loadStateDict`. */
  protected abstract state(): StateDict;
  /** Text of the options that differ from the defaults, `eps`, `dtype` and the like included. */
  protected abstract ownOptions(): string;

  get numFeatures(): number {
    return this.#setup.numFeatures;
  }

  /** Element type of parameters and buffers. */
  get dtype(): DType {
    return this.#setup.dtype;
  }

  /** Added to the variance inside the root. May be assigned, on all ranks alike. */
  get eps(): number {
    return this.#setup.eps;
  }

  set eps(value: number) {
    this.#setup.eps = checkEps(value, this.label);
    this.optionsChanged();
  }

  /** Name of this layer in collectives and errors. */
  get label(): string {
    return this.#setup.label;
  }

  /** Batches that left the running statistics as they were, because of NaN or infinity. */
  get skippedUpdates(): number {
    return this.#synchronization.skippedUpdates;
  }

  get channelsLast(): boolean {
    return this.#setup.channelsLast;
  }

  get training(): boolean {
    return this.#training;
  }

  /** Sets training mode, or inference with `false`. */
  setTrain(flag = true): this {
    if (typeof flag !== 'boolean') {
      throw new TypeError(`${this.label}: setTrain takes true or false, got ${show(flag)}`);
    }
    this.#training = flag;
    return this;
  }

  /** The trained parameters. */
  parameters(): Parameter[] {
    const { weight, bias } = this.#setup;
    return [weight, bias].filter((p): p is Parameter => p?.trainable === true);
  }

  /** Parameters and buffers themselves, by name, as `broadcastParameters` takes them. */
  stateTensors(): StateDict {
    return this.state();
  }

  /** A copy of parameters and buffers, by name; it can be cloned, sent and put into JSON. */
  stateDict(options: StateOptions = {}): StateDict {
    return readState(this.state(), options, this.label);
  }

  /**
   * Takes over parameters and buffers, tensors or their clones and JSON; nothing changes unless all
   * fit.
   * @returns with `strict: false` the missing names and the names that were left over
   * @throws RangeError for missing or unknown names and wrong shapes; TypeError for anything but
   *   tensors
   */
  loadStateDict(state: StateDictLike, options: LoadOptions = {}): LoadReport {
    return writeState(this.state(), state, options, this.label);
  }

  /** Resets the running statistics to those of a new layer. */
  resetRunningStatistics(): void {
    this.running?.reset();
  }

  /**
   * Normalises x of shape (N, C, +), or (N, +, C) with `channelsLast`. In training every rank of
   * the group must call it, also a rank whose N is 0. `backward` reads x again: do not change it
   * before; the checked mode finds such a change.
   * @returns y, of x's shape and dtype
   * @throws TypeError for x that is not a Tensor; RangeError for a wrong shape or dtype, and if the
   *   group's batch has only one value per channel. Errors reach every rank of the group.
   */
  forward(x: Tensor, options: ForwardOptions = {}): Tensor {
    return this.#passes.keep(this.forwardWithContext(x, options));
  }

  /** Like {@link forward}, and returns the context for its backward call, for several in a row. */
  forwardWithContext(x: Tensor, options: ForwardOptions = {}): Forwarded {
    return this.#passes.forward(x, options, this.#group(), this.#training);
  }

  /**
   * Like {@link forward}, for `await layer.startForward(x).done()`, on threads that may not block
   * and beside ranks that do. Passes of a thread run one at a time, in the order of their calls;
   * errors about arguments come from the work. x must not change before it is over.
   */
  startForward(x: Tensor, options: ForwardOptions = {}): Work<Tensor> {
    const make = this.#makeForward(x, options);
    return this.#start(() => after(make(), (forwarded) => this.#passes.keep(forwarded)));
  }

  /** Like {@link forwardWithContext}; see {@link startForward}. */
  startForwardWithContext(x: Tensor, options: ForwardOptions = {}): Work<Forwarded> {
    return this.#start(this.#makeForward(x, options));
  }

  /**
   * Computes the gradient of the input of a forward call, from dy, the gradient of its output.
   * Fills the parameters' `grad` with LOCAL sums; `averageGradients` puts them together. dy must
   * have one scale on all ranks: if batches are uneven, that of the sum of all samples' losses.
   * @returns dx, of dy's shape and dtype
   * @throws Error without a forward call to go back through; RangeError for a dy that does not fit
   */
  backward(dy: Tensor, options: BackwardOptions = {}): Tensor {
    return this.#passes.backward(dy, options, this.#groupOf);
  }

  /** Like {@link backward}; see {@link startForward}. */
  startBackward(dy: Tensor, options: BackwardOptions = {}): Work<Tensor> {
    return this.#start(() => this.#passes.backwardPass(dy, options, this.#groupOf));
  }

  #start<T>(make: () => Pass<T>): Work<T> {
    return startInTurn(make, this.#group()?.mayBlock);
  }

  /** The mode is the mode at the call, even if its turn comes later. */
  #makeForward(x: Tensor, options: ForwardOptions): () => Pass<Forwarded> {
    const group = this.#group();
    const training = this.#training;
    return () => this.#passes.forwardPass(x, options, group, training);
  }

  /** Rules among the options that both layers have and show nowhere. */
  protected commonRules() {
    const { reproducible, groupGradients, onNonFinite } = this.#setup;
    return { reproducible, groupGradients, onNonFinite };
  }

  /** Notes that an option has another value: the text in the collectives changes. */
  protected optionsChanged(): void {
    this.#collectives = null;
  }

  /** The label and, in few words, the options that differ from defaults: ranks must agree. */
  #collectiveLabel(): string {
    this.#collectives ??= this.#setup.numbered + this.ownOptions();
    return this.#collectives;
  }

  /** Ranks whose batch a call takes in the present mode; null: it takes the running statistics. */
  #group(): ProcessGroup | null {
    return this.usesBatchStatistics() ? this.batchGroup() : null;
  }

  readonly #groupOf = () => this.#group();
}
