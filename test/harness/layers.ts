/** Layers run over worlds of threads, and made-up tensors for them. */

import type { DType } from 'syncbn';
import type { LayerScript, Numbers, PassResult } from '../ranks/run-layer.js';
import type { Part } from './oracle.js';
import { sharedWorld } from './world.js';

export type Kind = LayerScript['kind'];
export const LAYER_KINDS: readonly Kind[] = ['SyncBatchNorm', 'GlobalBatchNorm'];

/** A tensor of float32 numbers that look like noise around `center`; `seed` makes others. */
export function noise(shape: readonly number[], seed = 0, center = 0): Numbers {
  const length = shape.reduce((product, size) => product * size, 1);
  const value = (i: number) =>
    Math.fround(center + Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 3);
  return {
    values: Array.from({ length }, (_, i) => value(i)),
    shape: [...shape],
    dtype: 'float32',
  };
}

/** The same numbers as another type; they should fit it. */
export const as = (dtype: DType, numbers: Numbers): Numbers => ({ ...numbers, dtype });

/** A tensor with some elements replaced. */
export function withValues(numbers: Numbers, replaced: Record<number, number>): Numbers {
  return { ...numbers, values: numbers.values.map((value, i) => replaced[i] ?? value) };
}

/** A rank's part for the oracle. */
export const partOf = (x: Numbers, dy: Numbers = x): Part => ({
  x: x.values,
  dy: dy.values,
  shape: x.shape,
});

/** Options that make one group of all ranks, for either layer. */
export function wholeWorld(kind: Kind, size: number): object {
  return kind === 'GlobalBatchNorm' ? { deviceNumEachGroup: size } : {};
}

/** Every rank's passes of one layer; null: the rank does not take part. */
export function runLayer(
  size: number,
  scriptOf: (rank: number) => LayerScript | null,
): Promise<PassResult[][]> {
  return sharedWorld(size).results<PassResult[]>('layer', scriptOf);
}

/** Running mean and variance, whatever the layer calls them. */
export function runningOf({ state }: PassResult): { mean: number[]; variance: number[] } {
  return {
    mean: state.runningMean ?? state.movingMean,
    variance: state.runningVar ?? state.movingVariance,
  };
}
