/** The passes of a layer over tensors, run now or in turn, and the contexts between them. */

import { slotWhenChecked } from '../core/check-mode.js';
import type { Tensor } from '../core/tensor.js';
import { after, before, checkBlocking, finished, type Pass } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import { type BackwardCall, type ForwardCall, prepareBackward, prepareForward } from './calls.js';
import type { CheckedLayer } from './checked.js';
import {
  type BackwardOptions,
  ForwardContext,
  type Forwarded,
  type ForwardOptions,
} from './context.js';
import { fillGradient, overlaps } from './results.js';
import type { RunningStatistics } from './running-statistics.js';
import type { BatchNormSetup } from './setup.js';
import type { StateDict } from './state-dict.js';
import type { BatchOptions, GradientSums, Saved, Synchronization } from './synchronization.js';
import { tailCalls } from './tail-calls.js';

/** The checked mode. */
export const passChecks = slotWhenChecked<typeof import('./checked.js')>();

const TRAINING: BatchOptions = { leastCount: 2 };
const INFERENCE: BatchOptions = {};

/** Returns the demands of a call on a batch. */
export function batchOptions(training: boolean, track = true): BatchOptions {
  const usual = training ? TRAINING : INFERENCE;
  return track ? usual : { ...usual, track };
}

/** The layer, as its passes see it. */
export interface PassOwner extends CheckedLayer {
  readonly runningStatistics: RunningStatistics | null;
  /** Parameters and buffers by name. */
  state(): StateDict;
}

export class Passes {
  readonly #setup: BatchNormSetup;
  readonly #synchronization: Synchronization;
  /** The layer, whose contexts are its own. */
  readonly #owner: PassOwner;
  #last: ForwardContext | null = null;
  /** Set if a training call waits behind the latest call, which was in inference. */
  #isHidden = false;

  constructor(setup: BatchNormSetup, synchronization: Synchronization, owner: PassOwner) {
    this.#setup = setup;
    this.#synchronization = synchronization;
    this.#owner = owner;
  }

  /** @param group ranks whose batch the call takes; null: it takes the running statistics */
  forward(
    x: Tensor,
    options: ForwardOptions,
    group: ProcessGroup | null,
    training: boolean,
  ): Forwarded {
    const call = this.#startForward(x, options, group, training, true);
    passChecks()?.agreeNow(this.#agreement(group, training, call));
    if (group === null) return this.#finishForward(call, this.#byRunning(call), training);
    const { y, values, layout, affine } = call;
    const batch = batchOptions(training, options.track);
    const own = this.#synchronization;
    const saved = own.forward(y, values, layout, affine, group, batch);
    return this.#finishForward(call, saved, training);
  }

  /** Makes a forward call a pass, for `startInTurn`. */
  forwardPass(
    x: Tensor,
    options: ForwardOptions,
    group: ProcessGroup | null,
    training: boolean,
  ): Pass<Forwarded> {
    const call = this.#startForward(x, options, group, training, false);
    if (group === null) {
      return finished(this.#finishForward(call, this.#byRunning(call), training));
    }
    const { y, values, layout, affine } = call;
    const batch = batchOptions(training, options.track);
    const own = this.#synchronization;
    const pass = () => own.forwardPass(y, values, layout, affine, group, batch);
    const all = before(this.#agreement(group, training, call), pass);
    return after(all, (saved) => this.#finishForward(call, saved, training));
  }

  /** In the checked mode, compares the ranks' layers. */
  #agreement(
    group: ProcessGroup | null,
    training: boolean,
    { affine }: ForwardCall,
  ): Pass<void> | null {
    const own = passChecks();
    if (own === null) return null;
    return own.agreementOf(this.#owner, group, training, affine.tail, this.#owner.state());
  }

  /** Keeps the context of the latest call that returned none: `backward` takes it. */
  keep({ output, context }: Forwarded): Tensor {
    const waits = this.#last !== null && this.#last.saved !== null && this.#last.training;
    this.#isHidden = !context.training && (waits || this.#isHidden);
    // Nothing else holds the previous context, and backward can no longer use it.
    if (this.#last !== null) this.#recycle(this.#last);
    this.#last = context;
    return output;
  }

  /** @param groupOf of a call in the present mode, asked if there is no context */
  backward(dy: Tensor, options: BackwardOptions, groupOf: () => ProcessGroup | null): Tensor {
    const call = this.#startBackward(dy, options, groupOf, true);
    const { dx, values, context, saved } = call;
    return this.#finishBackward(call, this.#synchronization.backward(dx, values, context.x, saved));
  }

  /** Makes a backward call a pass, for `startInTurn`. */
  backwardPass(
    dy: Tensor,
    options: BackwardOptions,
    groupOf: () => ProcessGroup | null,
  ): Pass<Tensor> {
    const call = this.#startBackward(dy, options, groupOf, false);
    const { dx, values, context, saved } = call;
    const pass = this.#synchronization.backwardPass(dx, values, context.x, saved);
    return after(pass, (sums) => this.#finishBackward(call, sums));
  }

  /**
   * Checks a forward call, and takes all the memory that it needs.
   * @param blocking true if the caller waits for the ranks, and does not await them
   */
  #startForward(
    x: Tensor,
    options: ForwardOptions,
    group: ProcessGroup | null,
    training: boolean,
    blocking: boolean,
  ): ForwardCall {
    // Without closures: small passes take microseconds.
    try {
      if (blocking) checkBlocking(group, this.#setup.label, 'forward');
      const call = prepareForward(x, options, group, training, this.#setup);
      this.#synchronization.reserve(group);
      return call;
    } catch (error) {
      this.#synchronization.fail(error, () => group, 'forward');
    }
  }

  #finishForward(
    { x, out, values, affine }: ForwardCall,
    saved: Saved,
    training: boolean,
  ): Forwarded {
    const digestOf = passChecks()?.digestOfTensor;
    const digest = digestOf?.(x) ?? null;
    const kept = affine.tail ? tailCalls().keptOf(affine.tail, out, digestOf) : null;
    const context = new ForwardContext(saved, x, values, this.#owner, training, digest, kept);
    if ((saved.group === null || !training) && overlaps(out, x)) this.#recycle(context);
    return { output: out, context };
  }

  #startBackward(
    dy: Tensor,
    options: BackwardOptions,
    groupOf: () => ProcessGroup | null,
    blocking: boolean,
  ): BackwardCall {
    const context = options?.context ?? this.#last;
    const known = context instanceof ForwardContext;
    try {
      const { label } = this.#setup;
      if (blocking) checkBlocking(known ? context.group : null, label, 'backward');
      if (this.#isHidden && context === this.#last) throw this.#hiddenCall();
      if (known) passChecks()?.checkUnchanged(context, label);
      return prepareBackward(dy, context, options, this.#owner, label);
    } catch (error) {
      const group = () => (known ? context.group : groupOf());
      this.#synchronization.fail(error, group, 'backward');
    }
  }

  #hiddenCall(): Error {
    return new Error(
      `${this.#setup.label}: the last forward call was in inference, and one in training before it ` +
        'waits for its backward call; take contexts from forwardWithContext, and hand one over',
    );
  }

  #finishBackward({ context, out, accumulate }: BackwardCall, sums: GradientSums): Tensor {
    context.saved = null;
    const { weight, bias } = this.#setup;
    fillGradient(weight, sums.dyXhat, accumulate);
    fillGradient(bias, sums.dy, accumulate);
    return out;
  }

  #byRunning({ y, values, layout, affine }: ForwardCall): Saved {
    const { mean, variance } = this.#owner.runningStatistics as RunningStatistics;
    const own = this.#synchronization;
    return own.forwardBy(y, values, layout, affine, mean.toFloats(), variance.toFloats());
  }

  /** Ends a context. */
  #recycle(context: ForwardContext): void {
    if (context.saved !== null) this.#synchronization.release(context.saved);
    context.saved = null;
  }
}
