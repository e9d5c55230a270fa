/**
 * The layer by TensorFlow.js' operations, for backends whose tensors cannot be seen as arrays. Only
 * vectors of C numbers leave the backend, and only in training.
 */

import {
  add,
  concat,
  customGrad,
  div,
  mul,
  reshape,
  rsqrt,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  tensor1d,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { sizeOf } from '../../../core/layout.js';
import { maskOf } from '../../../core/mask.js';
import type { Moments } from '../../../core/moments.js';
import type { ProcessGroup } from '../../../group/process-group.js';
import { ownMoments } from '../../shared/statistics.js';
import { meeting } from '../peers.js';
import { currentStep } from '../training/current-step.js';
import { affineOf, type BuiltInLayer } from './built-in.js';
import { differentiableOnce } from './once.js';
import type { LayerState } from './state.js';

/** The channels of an input: shapes for vectors of C numbers, and the mask of values that count. */
class Channels {
  /** Values per channel that count. */
  readonly values: number;
  /** All axes but the channels'. */
  readonly #others: number[];
  readonly #shape: number[];
  /** Shape of one channel, and of its mask. */
  readonly #one: number[];
  readonly #mask: ArrayLike<number> | null;

  constructor(shape: readonly number[], axis: number, mask: ArrayLike<number> | null = null) {
    this.#others = shape.map((_, i) => i).filter((i) => i !== axis);
    this.#shape = shape.map((size, i) => (i === axis ? size : 1));
    this.#one = shape.map((size, i) => (i === axis ? 1 : size));
    this.#mask = mask;
    this.values = mask === null ? sizeOf(this.#one) : maskOf(mask).count;
  }

  /** Returns x where it counts, else 0. */
  counted(x: Tensor): Tensor {
    if (this.#mask === null) return x;
    const counts = tensor(Array.from(this.#mask, Boolean), this.#one, 'bool');
    return where(counts, x, zerosLike(x));
  }

  /** Reshapes a vector so that it broadcasts over the input. */
  across(vector: Tensor): Tensor {
    return reshape(vector, this.#shape);
  }

  vector(values: ArrayLike<number>): Tensor {
    return tensor(Float32Array.from(values), this.#shape, 'float32');
  }

  sums(x: Tensor): Tensor {
    return sum(x, this.#others);
  }
}

/** Computes y by the statistics of the group's batch, which the moving statistics learn. */
export function trainByOperations(
  layer: BuiltInLayer,
  state: LayerState,
  x: Tensor,
  axis: number,
  group: ProcessGroup,
  mask: ArrayLike<number> | null,
): Tensor {
  const { label } = state.synchronization;
  const y = meeting(group, label, () => normalizeBatch(layer, state, x, axis, group, mask));
  state.write();
  return y;
}

function normalizeBatch(
  layer: BuiltInLayer,
  { synchronization }: LayerState,
  x: Tensor,
  axis: number,
  group: ProcessGroup,
  mask: ArrayLike<number> | null,
): Tensor {
  const isGhost = currentStep()?.isGhost === true;
  const channels = new Channels(x.shape, axis, isGhost ? null : mask);
  const own = isGhost ? 0 : channels.values;
  const { gamma, beta, list } = affineOf(layer);
  return customGrad((...args) => {
    const save = args.at(-1) as unknown as (tensors: Tensor[]) => void;
    const input = args[0] as Tensor;
    const rows = momentRows(input, channels);
    const moments = synchronization.startMerge(ownMoments(rows, x.shape[axis], own), group).wait();
    const by = new Normalization(moments, layer.epsilon, channels, gamma);
    save(gamma === null ? [input] : [input, gamma]);
    const value = by.normalize(input, beta);
    const gradFunc = (dy: Tensor, kept: Tensor[]) => {
      const back = new Normalization(moments, layer.epsilon, channels, kept[1] ?? null);
      const { label } = synchronization;
      const sumUp = (sums: Float64Array) =>
        meeting(group, label, () => synchronization.startSum(sums, group).wait());
      const results = back.gradients(dy, kept[0], !isGhost, sumUp);
      const wanted = [true, layer.scale, layer.center];
      return results
        .filter((_, i) => wanted[i])
        .map((result) => differentiableOnce(result, [dy, kept[0]], label));
    };
    return { value, gradFunc };
  })(x, ...list);
}

/**
 * Three vectors: a mean, the rest of the mean, and M2 about the first. One stage would lose 2e-5
 * of y if the mean is 1000 times the deviation.
 */
function momentRows(x: Tensor, channels: Channels): Float32Array {
  const mean = (of: Tensor) => div(channels.sums(of), Math.max(channels.values, 1));
  const first = mean(channels.counted(x));
  const rest = channels.counted(sub(x, channels.across(first)));
  const rows = [first, mean(rest), channels.sums(square(rest))];
  return concat(rows).dataSync() as Float32Array;
}

/** Normalizes by moments of the group, forward and backward. */
class Normalization {
  readonly #moments: Moments;
  readonly #channels: Channels;
  readonly #gamma: Tensor | null;
  readonly #invstd: Float64Array;

  constructor(moments: Moments, eps: number, channels: Channels, gamma: Tensor | null) {
    this.#moments = moments;
    this.#channels = channels;
    this.#gamma = gamma;
    const count = Math.max(moments.count, 1);
    this.#invstd = moments.m2.map((m2) => 1 / Math.sqrt(m2 / count + eps));
  }

  normalize(x: Tensor, beta: Tensor | null): Tensor {
    const y = mul(this.#centered(x), this.#factor());
    return beta === null ? y : add(y, this.#channels.across(beta));
  }

  /** Gradients of x, gamma and beta. @param sumUp sums over the group, in place */
  gradients(
    dy: Tensor,
    x: Tensor,
    hasSamples: boolean,
    sumUp: (sums: Float64Array) => Float64Array,
  ): Tensor[] {
    const channels = this.#channels;
    const xhat = mul(this.#centered(x), channels.vector(this.#invstd));
    const own = concat([channels.sums(dy), channels.sums(mul(dy, xhat))]).dataSync();
    const local = hasSamples ? Float64Array.from(own) : new Float64Array(own.length);
    const means = sumUp(local.slice()).map((value) => value / Math.max(this.#moments.count, 1));
    const [meanDy, meanDyXhat] = halves(means).map((half) => channels.vector(half));
    const moved = channels.counted(add(meanDy, mul(xhat, meanDyXhat)));
    const dx = mul(sub(dy, moved), this.#factor());
    const [dbeta, dgamma] = halves(local).map((half) => tensor1d(Float32Array.from(half)));
    return [hasSamples ? dx : zerosLike(dx), dgamma, dbeta];
  }

  /** x - mean, the mean as two float32 numbers. */
  #centered(x: Tensor): Tensor {
    const { mean: means } = this.#moments;
    const low = means.map((value) => value - Math.fround(value));
    return sub(sub(x, this.#channels.vector(means)), this.#channels.vector(low));
  }

  /** invstd * gamma */
  #factor(): Tensor {
    const invstd = this.#channels.vector(this.#invstd);
    return this.#gamma === null ? invstd : mul(invstd, this.#channels.across(this.#gamma));
  }
}

function halves(values: Float64Array): Float64Array[] {
  const half = values.length / 2;
  return [values.subarray(0, half), values.subarray(half)];
}

/** Computes y by the moving statistics; reads nothing, so that every backend can predict. */
export function inferByOperations(layer: BuiltInLayer, x: Tensor, axis: number): Tensor {
  const channels = new Channels(x.shape, axis);
  const { gamma, beta } = affineOf(layer);
  const invstd = rsqrt(add(layer.movingVariance.read(), layer.epsilon));
  const factor = channels.across(gamma === null ? invstd : mul(invstd, gamma));
  const y = mul(sub(x, channels.across(layer.movingMean.read())), factor);
  return beta === null ? y : add(y, channels.across(beta));
}
