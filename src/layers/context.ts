/** Options of a layer's passes, and the context from a forward call to its backward call. */

import type { TensorData } from '../core/dtype.js';
import type { Tensor } from '../core/tensor.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Saved } from '../ops/backward.js';

/** Options of a forward call. */
export interface ForwardOptions {
  /** Tensor for y: of x's shape and dtype; x itself in inference only. Default: a new tensor. */
  out?: Tensor;
  /**
   * If true (default), running statistics learn from the batch. Set it to false for a call that
   * computes again what another call has computed, as checkpointing does.
   */
  track?: boolean;
  /**
   * Samples and positions whose values count, in all channels alike: of shape (N, +), x's without
   * its channels; 0 for values that do not count. A tensor, or the elements in its order.
   * Statistics are of the values that count on all ranks. Copied. Default: all count. Ranks may
   * differ, and on some ranks or all no value need count: then values are normalised as if mean and
   * variance were 0.
   */
  mask?: Tensor | Uint8Array;
  /**
   * With 'normalize' (default), values that do not count are normalised like all values, and their
   * dy goes into the gradients. With 'zero', y and dx are 0 there, and neither x nor dy is read.
   */
  maskedOutput?: 'normalize' | 'zero';
  /**
   * A tensor of x's shape and dtype that is added to the normalised values, in the same pass over
   * memory: y = activation(normalised x + add). It is read during the call only; `out` may be this
   * tensor. Its gradient goes to `addOut` of the backward call. Default: nothing is added.
   */
  add?: Tensor;
  /**
   * Applied to the sum, in the same pass: 'relu' makes values below 0 to 0; NaN stays NaN, and -0
   * is -0. Then `backward` reads y: do not change y before, as x. Default 'none'.
   */
  activation?: 'none' | 'relu';
}

/** Options of a backward call. */
export interface BackwardOptions {
  /** The forward call to go back through. Default: the latest one. Each can be used once. */
  context?: ForwardContext;
  /** Tensor for dx: of dy's shape and dtype, dy itself included. Default: a new tensor. */
  out?: Tensor;
  /** If true, the parameters' gradients are added to those of earlier calls. Default false. */
  accumulate?: boolean;
  /**
   * Tensor for the gradient of `add`: of dy's shape and dtype, dy itself included; null: the
   * gradient is not needed. Must be given if the forward call had `add` and 'relu'. Without 'relu'
   * the gradient is dy, and a given tensor gets a copy.
   */
  addOut?: Tensor | null;
}

/** Left by a forward call with `add` or `activation` for its backward call. */
export interface KeptTail {
  readonly hasAdd: boolean;
  /** The output, which shows what the rectifier let through; null: there was no rectifier. */
  readonly y: Tensor | null;
  /** Digest of the bits of y, in the checked mode; else null. */
  readonly digest: number | null;
}

/**
 * Left by a forward call for its backward call. It holds x, and y of a call with an activation,
 * which must not change meanwhile.
 */
export class ForwardContext {
  /** Null once the backward call has used it, and if y was written over x. */
  saved: Saved | null;
  readonly input: Tensor;
  /** The input's elements. */
  readonly x: TensorData;
  /** Ranks that the backward call meets; null: none. */
  readonly group: ProcessGroup | null;
  /** Digest of the input's bits, in the checked mode; else null. */
  readonly digest: number | null;

  /** The layer of the forward call. */
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

/** Result of a forward call that returns its context. */
export interface Forwarded {
  output: Tensor;
  context: ForwardContext;
}
