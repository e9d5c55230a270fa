/**
 * The arithmetic of a normalisation inside a traced function. Statistics come in as inputs, so
 * that autodiff yields the cotangents of mean and invstd: the two sums that backward all-reduces.
 *
 *     y   = ((x - high) - low) * invstd * weight + bias          mean = high + low
 *     dx += dmean / n - invstd^3 * dinvstd / n * (x - mean)      the statistics' own part
 *
 * The mean comes as two float32 numbers: x - high is exact where it is small, and low holds what
 * float32 would have lost, so a mean far from 0 costs no digits.
 *
 * While jax-js traces, references are bookkeeping only: one too many leaks nothing.
 */

import { type Device, numpy as np } from '@jax-js/jax';
import type { BatchNorm } from '../../layers/batch-norm.js';
import { ownName, partsOf } from '../../layers/parts.js';
import { describe, type Tree } from './stage.js';

/** What a normalisation takes beside x and trained parameters; each of shape (C). */
export type Statistics = {
  high: np.Array;
  low: np.Array;
  invstd: np.Array;
  /** Used where the layer has no trained ones. */
  weight: np.Array;
  bias: np.Array;
};

/** An array of rows of C numbers; see shared/statistics.ts. */
export function packRows(rows: Float32Array, { numFeatures }: BatchNorm, device: Device): np.Array {
  return np.array(rows, { shape: [rows.length / numFeatures, numFeatures], device });
}

/** The rows of `packed`, shape (5, C); consumes it. */
export function unpackStatistics(packed: np.Array): Statistics {
  const [high, low, invstd, weight, bias] = packed;
  return { high, low, invstd, weight, bias };
}

/** `values` of shape (C) so that it broadcasts along the channel axis of `x`. */
function alongChannels(values: np.Array, x: np.Array, layer: BatchNorm): np.Array {
  if (layer.channelsLast) return values;
  return values.reshape([-1, ...x.shape.slice(2).map(() => 1)]);
}

/** x - mean; x stays the caller's. */
export function centered(x: np.Array, high: np.Array, low: np.Array, layer: BatchNorm): np.Array {
  return x.ref.sub(alongChannels(high, x, layer)).sub(alongChannels(low, x, layer));
}

/** y of x; takes weight and bias from the parameters where the layer trains them. */
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

/**
 * Local moments of the channels, shape (3, C): a first mean, what is left of the mean about it,
 * and M2 about it. Two passes: E[x^2] - E[x]^2 in float32 would lose a variance that is small
 * beside the mean. x stays the caller's.
 * @throws RangeError for a shape or dtype that the layer does not take
 */
export function localMoments(x: np.Array, layer: BatchNorm): np.Array {
  checkInput(x, layer);
  const count = valuesPerChannel(x, layer);
  const first = sumOfChannels(x.ref, layer).div(count);
  const rest = x.ref.sub(alongChannels(first.ref, x, layer));
  const second = sumOfChannels(rest.ref, layer).div(count);
  return np.stack([first, second, sumOfChannels(np.square(rest), layer)]);
}

/**
 * Sum over all axes but the channels', one axis after the other. jax-js adds the values of one sum
 * in a row, in float32; over all axes at once the first loss of the demo had an error of 3e-6,
 * this way of 7e-8.
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

/** `statistics` with mean and invstd of the local batch, for layers without running ones. */
export function localStatistics(x: np.Array, statistics: Statistics, layer: BatchNorm): Statistics {
  const [high, low, m2] = localMoments(x, layer);
  const variance = m2.div(valuesPerChannel(x, layer)).sub(np.square(low.ref));
  return { ...statistics, high, low, invstd: np.reciprocal(np.sqrt(variance.add(layer.eps))) };
}

/** A normalisation that backward passes; `correction`, shape (2, C), is its statistics' part. */
export type Junction = { x: np.Array; statistics: np.Array; correction: np.Array };

/** The cotangent of x with the statistics' part. */
export function correctCotangent(
  cotangent: np.Array,
  { x, statistics, correction }: Junction,
  layer: BatchNorm,
): np.Array {
  const { high, low } = unpackStatistics(statistics);
  const [constant, slope] = correction;
  const distance = centered(x, high, low, layer);
  return cotangent
    .add(alongChannels(constant, x, layer))
    .add(distance.mul(alongChannels(slope, x, layer)));
}
