/** Results of any way to run a layer, in float64 by the plain kernels. */

import { layoutOf, sizeOf } from '../../src/core/layout.js';
import { maskOf } from '../../src/core/mask.js';
import type { Tail } from '../../src/kernels/kernels.js';
import { plainKernels } from '../../src/kernels/plain.js';
import { addMeans, EPS, emptySums, fill, type LayerResults, momentsOf } from '../data.js';
import { shapeNamed } from '../shapes.js';
import type { VariantTask } from './measure.js';

/** A rank's numbers. */
export interface Numbers {
  readonly x: Float64Array;
  readonly dy: Float64Array;
  readonly add: Float64Array;
  readonly weight: Float64Array;
  readonly bias: Float64Array;
}

/** @param rounded to numbers that the tensors hold */
export function numbersOf(
  { shape, channelsLast, mean }: VariantTask,
  rank: number,
  rounded: (values: Float64Array) => Float64Array,
): Numbers {
  const sizes = shapeNamed(shape, channelsLast);
  const { channels } = layoutOf(sizes, channelsLast, 'float64');
  const made = (length: number, owner: number, stream: number, center: number) => {
    const values = new Float64Array(length);
    fill(values, owner, stream, center);
    return values;
  };
  const tensor = (stream: number, center: number) =>
    rounded(made(sizeOf(sizes), rank, stream, center));
  const parameter = (stream: number, center: number) =>
    made(channels, 0, stream, center).map(Math.fround);
  return {
    ...{ x: tensor(0, mean), dy: tensor(1, 0.1), add: tensor(4, 0) },
    ...{ weight: parameter(2, 1), bias: parameter(3, 0) },
  };
}

/** Three values of five. */
export function placesOf({ shape, channelsLast }: VariantTask): Uint8Array {
  const { samples, plane } = layoutOf(shapeNamed(shape, channelsLast), channelsLast, 'float64');
  return Uint8Array.from({ length: samples * plane }, (_, i) => ((i * 3) % 5 < 3 ? 1 : 0));
}

export interface Way {
  readonly hasAdd: boolean;
  readonly rectify: boolean;
  /** Null: all values count. */
  readonly places: Uint8Array | null;
  readonly zero: boolean;
}

/**
 * @param own the output that was computed on this rank, whose sign lets the gradient through
 * @param all numbers of each rank
 */
export function referenceOf(
  task: VariantTask,
  { hasAdd, rectify, places, zero }: Way,
  rank: number,
  all: readonly Numbers[],
  own: Float64Array,
): LayerResults & { readonly dadd: Float64Array } {
  const mask = places && maskOf(places, zero);
  const sizes = shapeNamed(task.shape, task.channelsLast);
  const layout = layoutOf(sizes, task.channelsLast, 'float64', mask);
  const range = { from: 0, to: layout.channels };
  const total = momentsOf(
    all.map(({ x }) => x),
    layout,
  );
  const invstd = total.m2.map((m2) => 1 / Math.sqrt(m2 / total.count + EPS));
  const tails = plainKernels.tails();
  const means = emptySums(layout);
  const passes = all.map(({ x, dy, add, weight, bias }, r) => {
    const by = { mean: total.mean, invstd, weight, bias };
    const tail: Tail = { add: hasAdd ? add : null, rectify };
    const [y, g] = [new Float64Array(x.length), rectify ? new Float64Array(x.length) : dy];
    tails.normalize(y, x, tail, by, layout, range);
    if (rectify) tails.gate(g, dy, r === rank ? own : y, layout, range);
    const sums = emptySums(layout);
    plainKernels.gradientSums(sums, g, x, by, layout, range);
    addMeans(means, sums, total.count);
    return { x, g, y, by, sums };
  });
  const { x, g, y, by, sums } = passes[rank];
  const dx = new Float64Array(x.length);
  plainKernels.inputGradient(dx, g, x, by, means, layout, range);
  return { y, dx, dadd: g, dweight: sums.dyXhat, dbias: sums.dy };
}
