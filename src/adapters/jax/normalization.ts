/**
 * The arithmetic of a normalisation inside a traced function. Statistics come in as inputs, so
 * that autodiff yields the cotangents of mean and invstd: the two sums that backward all-reduces.
 *
 *     y   = ((x - high) - low) * invstd * weight + bias          mean = high + low
 *     dx += dmean / n - invstd^3 * dinvstd / n * (x - mean)      the statistics' own part
 *
 * The mean comes as two float32 numbers: x - high is exact if it is small, and low holds the digits
 * that float32 would have lost, so a mean far from 0 costs no digits.
 *
 * While jax-js traces, references are bookkeeping only: one too many leaks nothing.
 */

import { type Device, numpy as np, tree } from '@jax-js/jax';
import { formatShape, sameShape } from '../../core/layout.js';
import type { BatchNorm } from '../../layers/batch-norm.js';
import { ownName, partsOf } from '../../layers/parts.js';
import { describe, type Flow, isArray, type Tree } from './stage.js';

/** Inputs of a normalisation besides x and trained parameters; each of shape (C). */
export type Statistics = {
  high: np.Array;
  low: np.Array;
  invstd: np.Array;
  /** Used if the layer has no trained weight or bias. */
  weight: np.Array;
  bias: np.Array;
};

/** An array of rows of C numbers; see shared/statistics.ts. */
export function packRows(rows: Float32Array, { numFeatures }: BatchNorm, device: Device): np.Array {
  return np.array(rows, { shape: [rows.length / numFeatures, numFeatures], device });
}

/** Takes the rows of `packed`, shape (5, C); consumes it. */
export function unpackStatistics(packed: np.Array): Statistics {
  const [high, low, invstd, weight, bias] = packed;
  return { high, low, invstd, weight, bias };
}

/**
 * Broadcasts `values`, shape (C), over all axes of `x` but the first, one axis after the other.
 * The gradient of `values` is then a sum over one axis after the other, too: a GPU adds up each sum
 * in one thread, and of the sum over all axes at once there are only C.
 */
function alongChannels(values: np.Array, x: np.Array, layer: BatchNorm): np.Array {
  const places = x.shape.slice(1);
  const axis = layer.channelsLast ? places.length - 1 : 0;
  let shape = places.map((size, i) => (i === axis ? size : 1));
  let spread = values.reshape(shape);
  for (let i = places.length - 1; i >= 0; i--) {
    if (i === axis) continue;
    shape = shape.with(i, places[i]);
    spread = np.broadcastTo(spread, shape);
  }
  return spread;
}

/** Returns x - mean; x stays the caller's. */
export function centered(x: np.Array, high: np.Array, low: np.Array, layer: BatchNorm): np.Array {
  return x.ref.sub(alongChannels(high, x, layer)).sub(alongChannels(low, x, layer));
}

/** Returns y of x; takes weight and bias from the parameters if the layer trains them. */
export function normalize(
  x: np.Array,
  parameters: Tree,
  { high, low, invstd, ...fixed }: Statistics,
  layer: BatchNorm,
): np.Array {
  const [weight, bias] = affineOf(layer, parameters, fixed);
  const factor = alongChannels(invstd.mul(weight), x, layer);
  return centered(x, high, low, layer)
    .mul(factor)
    .add(alongChannels(bias, x, layer));
}

function affineOf(
  layer: BatchNorm,
  parameters: Tree,
  fixed: { weight: np.Array; bias: np.Array },
): [np.Array, np.Array] {
  const { weight, bias } = partsOf(layer);
  const trained = parameters as Record<string, np.Array>;
  return [
    weight?.trainable === true ? trained[ownName(weight)].ref : fixed.weight,
    bias?.trainable === true ? trained[ownName(bias)].ref : fixed.bias,
  ];
}

/** Elements of one channel of `x`. */
export function valuesPerChannel(x: np.Array, layer: BatchNorm): number {
  return x.size / layer.numFeatures;
}

/** Gives a norm its mask, of its input's shape without channels, from the incoming carry. */
export type MaskOf = (carry: Tree) => np.Array;

/**
 * Marks the values of `x` that count, and broadcasts over x; null: all count.
 * @throws RangeError for a mask of another shape
 */
function countsOf(x: np.Array, carry: Tree, maskOf: MaskOf | null, layer: BatchNorm) {
  if (maskOf === null) return null;
  const axis = layer.channelsLast ? x.ndim - 1 : 1;
  const mask = maskOf(tree.ref(carry));
  const places = x.shape.toSpliced(axis, 1);
  if (!isArray(mask) || !sameShape(mask.shape, places)) {
    throw new RangeError(
      `${layer.label}: the mask of an input of shape ${formatShape(x.shape)} must have shape ` +
        `${formatShape(places)}, got ${describe(mask)}`,
    );
  }
  return np.notEqual(mask.astype(np.float32), 0).reshape(places.toSpliced(axis, 0, 1));
}

/** Returns `values` where they count, 0 elsewhere. */
function counted(values: np.Array, counts: np.Array | null): np.Array {
  return counts === null ? values : np.where(counts.ref, values, 0);
}

/**
 * Local moments of the channels, shape (3, C): a first mean, the rest of the mean about it, and M2
 * about it. Two passes: E[x^2] - E[x]^2 in float32 would lose a variance that is small beside the
 * mean. Under a mask there is a further row with the number of values per channel that count. x
 * stays the caller's.
 * @throws RangeError for a shape or dtype that the layer does not take
 */
export function localMoments(
  x: np.Array,
  layer: BatchNorm,
  carry: Tree = [],
  maskOf: MaskOf | null = null,
): np.Array {
  checkInput(x, layer);
  const counts = countsOf(x, carry, maskOf, layer);
  const values =
    counts === null ? valuesPerChannel(x, layer) : np.sum(counts.ref.astype(np.float32));
  const divided = (sum: np.Array) =>
    sum.div(typeof values === 'number' ? values : np.maximum(values.ref, 1));
  const first = divided(sumOfChannels(counted(x.ref, counts), layer));
  const rest = counted(x.ref.sub(alongChannels(first.ref, x, layer)), counts);
  const second = divided(sumOfChannels(rest.ref, layer));
  const rows = [first, second, sumOfChannels(np.square(rest), layer)];
  if (typeof values !== 'number') rows.push(np.onesLike(first.ref).mul(values));
  return np.stack(rows);
}

/**
 * Sum over all axes but the channels', one axis after the other. jax-js adds the values of one sum
 * in a row, in float32. Over all axes at once the first loss of the demo had an error of 3e-6, this
 * way 7e-8.
 */
function sumOfChannels(x: np.Array, layer: BatchNorm): np.Array {
  const channelAxis = layer.channelsLast ? x.ndim - 1 : 1;
  let sum = x;
  for (let axis = x.ndim - 1; axis >= 0; axis--) {
    if (axis !== channelAxis) sum = np.sum(sum, axis);
  }
  return sum;
}

function checkInput(x: np.Array, layer: BatchNorm): void {
  partsOf(layer).checkShape(x.shape);
  if (x.dtype !== np.float32) {
    throw new RangeError(`${layer.label}: expected an input of float32, got ${describe(x)}`);
  }
}

/** Replaces mean and invstd by the local batch's, for layers without running statistics. */
export function localStatistics(
  { x, carry }: Flow,
  statistics: Statistics,
  layer: BatchNorm,
  maskOf: MaskOf | null,
): Statistics {
  const [high, low, m2, values] = localMoments(x, layer, carry, maskOf);
  const count = values === undefined ? valuesPerChannel(x, layer) : np.maximum(values, 1);
  const variance = m2.div(count).sub(np.square(low.ref));
  return { ...statistics, high, low, invstd: np.reciprocal(np.sqrt(variance.add(layer.eps))) };
}

/** A normalisation that backward passes; `correction`, shape (2, C), is its statistics' part. */
export type Junction = Flow & { statistics: np.Array; correction: np.Array };

/** Adds the statistics' part to the cotangent of x, at values that count. */
export function correctCotangent(
  cotangent: np.Array,
  { x, carry, statistics, correction }: Junction,
  layer: BatchNorm,
  maskOf: MaskOf | null,
): np.Array {
  const { high, low } = unpackStatistics(statistics);
  const [constant, slope] = correction;
  const distance = centered(x, high, low, layer);
  const counts = countsOf(x, carry, maskOf, layer);
  return cotangent
    .add(counted(alongChannels(constant, x, layer), counts))
    .add(counted(distance.mul(alongChannels(slope, x, layer)), counts));
}
