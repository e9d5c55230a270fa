/** What the passes of a layer take beside tensors, and what a forward call hands to its backward call. */

import type { TensorData } from '../core/dtype.js';
import type { Tensor } from '../core/tensor.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Saved } from '../ops/backward.js';

/** Options of a forward call. */
export interface ForwardOptions {
  /** Where y goes: of x's shape and dtype; x itself in inference only. Default: a new tensor. */
  out?: Tensor;
  /**
   * Whether running statistics learn from the batch. Default true; false for a call that computes
   * again what another one has computed, as checkpointing does.
   */
  track?: boolean;
  /**
   * Samples and positions whose values count, in all channels alike: of shape (N, +), x's without
   * its channels; 0 where nothing counts. A tensor, or the elements in its order. Statistics are
   * those of what counts on all ranks. Copied. Default: all count. Ranks may differ, and nothing
   * need count on some of them, or on all: that is normalised as if mean and variance were 0.
   */
  mask?: Tensor | Uint8Array;
  /**
   * Whether values that do not count are normalised like the others, and their dy goes into the
   * gradients (default), or are 0 in y and dx, and neither x nor dy is read there.
   */
  maskedOutput?: 'normalize' | 'zero';
  /**
   * A tensor of x's shape and dtype that is added to what is normalised, in the same pass over
   * memory: y = activation(normalised x + add). It is read during the call only; `out` may be this
   * tensor. Its gradient goes to `addOut` of the backward call. Default: nothing is added.
   */
  add?: Tensor;
  /**
   * What is done with the sum, in the same pass: 'relu' makes values below 0 to 0; NaN stays NaN, and
   * -0 is -0. Then `backward` reads y: do not change it before, as x. Default 'none'.
   */
  activation?: 'none' | 'relu';
}

/** Options of a backward call. */
export interface BackwardOptions {
  /** The forward call to go back through. Default: the last one. Each can be used once. */
  context?: ForwardContext;
  /** Where dx goes: of dy's shape and dtype, dy itself included. Default: a new tensor. */
  out?: Tensor;
  /** Whether the parameters' gradients are added to those of earlier calls. Default false. */
  accumulate?: boolean;
  /**
   * Where the gradient of `add` goes: of dy's shape and dtype, dy itself included; null: nobody needs
   * it. Must be given where the forward call had `add` and 'relu'. Without 'relu' the gradient is dy,
   * and a tensor that is given gets a copy.
   */
  addOut?: Tensor | null;
}

/** What a forward call with `add` or `activation` leaves for its backward call. */
export interface KeptTail {
  readonly hasAdd: boolean;
  /** The output, which tells what the rectifier let through; null: there was none. */
  readonly y: Tensor | null;
  /** Of the bits of y, in the checked mode; else null. */
  readonly digest: number | null;
}

/**
 * What a forward call leaves for its backward call. It holds x, and y of a call with an activation,
 * which must not change meanwhile.
 */
export class ForwardContext {
  /** Null once the backward call has used it, and where y was written over x. */
  saved: Saved | null;
  readonly input: Tensor;
  /** The input's elements. */
  readonly x: TensorData;
  /** Ranks that the backward call meets; null: none. */
  readonly group: ProcessGroup | null;
  /** Of the input's bits, in the checked mode; else null. */
  readonly digest: number | null;

  /** The layer whose forward call it was. */
  readonly layer: object;
  readonly training: boolean;
  /** Null without `add` and `activation`. */
  readonly tail: KeptTail | null;

  constructor(
    saved: Saved,
    input: Tensor,
    x: TensorData,
    layer: object,
    training: boolean,
    digest: number | null = null,
    tail: KeptTail | null = null,
  ) {
    this.tail = tail;
    this.saved = saved;
    this.layer = layer;
    this.training = training;
    this.input = input;
    this.x = x;
    this.group = saved.group;
    this.digest = digest;
  }
}

/** What a forward call gives that hands out its context. */
export interface Forwarded {
  output: Tensor;
  context: ForwardContext;
}
