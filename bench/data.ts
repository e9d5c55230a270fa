/** Seeded data, the same for a rank wherever it is made, and the check against float64. */

import { allocate, computeDType, type FloatArray } from '../src/core/dtype.js';
import { type Layout, layoutOf, sizeOf } from '../src/core/layout.js';
import { combine, emptyMoments, type Moments } from '../src/core/moments.js';
import type { GradientSums } from '../src/kernels/kernels.js';
import { plainKernels } from '../src/kernels/plain.js';
import { shapeNamed, type Task } from './shapes.js';

/** The layers' default, and what all others are told to take. */
export const EPS = 1e-5;

/** What a pass reads on one rank. Parameters are alike on all ranks. */
export interface LayerData {
  readonly x: FloatArray;
  readonly dy: FloatArray;
  readonly weight: FloatArray;
  readonly bias: FloatArray;
}

/** What forward and backward give; the parameters' gradients are sums over own samples. */
export interface LayerResults {
  readonly y: FloatArray;
  readonly dx: FloatArray;
  readonly dweight: FloatArray;
  readonly dbias: FloatArray;
}

/** Largest |got - want| / (1 + |want|) of a forward pass, and of forward and backward. */
export interface Errors {
  readonly forward?: number;
  readonly training?: number;
}

/** Sums of three uniform numbers about `mean`, variance 1; x, dy, weight and bias by `stream`. */
export function fill(array: FloatArray, rank: number, stream: number, mean: number): void {
  let state = (rank * 0x9e3779b1 + stream * 0x85ebca6b + 1) >>> 0;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 31 - 1;
  };
  for (let i = 0; i < 32; i++) next();
  for (let i = 0; i < array.length; i++) array[i] = mean + next() + next() + next();
}

/** Writes a rank's numbers into arrays of the task's sizes. */
export function fillData(data: LayerData, task: Task, rank: number): void {
  fill(data.x, rank, 0, task.mean);
  fill(data.dy, rank, 1, 0.1);
  fill(data.weight, 0, 2, 1);
  fill(data.bias, 0, 3, 0);
}

/** A rank's numbers in arrays of their own. */
export function dataOf(task: Task, rank: number): LayerData {
  const shape = shapeNamed(task.shape, task.channelsLast);
  const { channels } = layoutOf(shape, task.channelsLast, task.dtype);
  const array = (length: number) => allocate(computeDType(task.dtype), length) as FloatArray;
  const [x, dy] = [array(sizeOf(shape)), array(sizeOf(shape))];
  const data = { x, dy, weight: array(channels), bias: array(channels) };
  fillData(data, task, rank);
  return data;
}

/**
 * The results of one rank in float64.
 * @param ranks those whose samples are normalised together
 */
export function reference(task: Task, rank: number, ranks: readonly number[]): LayerResults {
  const layout = layoutOf(shapeNamed(task.shape, task.channelsLast), task.channelsLast, task.dtype);
  const all = { from: 0, to: layout.channels };
  const { x, dy, weight, bias } = dataOf(task, rank);
  const total = momentsOf(inputsOf(task, ranks), layout);
  const invstd = total.m2.map((m2) => 1 / Math.sqrt(m2 / total.count + EPS));
  const by = { mean: total.mean, invstd, weight, bias };
  const means = emptySums(layout);
  let own = emptySums(layout);
  for (const r of ranks) {
    const data = r === rank ? { x, dy } : dataOf(task, r);
    const sums = emptySums(layout);
    plainKernels.gradientSums(sums, data.dy, data.x, by, layout, all);
    addMeans(means, sums, total.count);
    if (r === rank) own = sums;
  }
  const [y, dx] = [new Float64Array(x.length), new Float64Array(x.length)];
  plainKernels.normalize(y, x, by, layout, all);
  plainKernels.inputGradient(dx, dy, x, by, means, layout, all);
  return { y, dx, dweight: own.dyXhat, dbias: own.dy };
}

/** Yields the ranks' x, one at a time: memory is not endless. */
function* inputsOf(task: Task, ranks: readonly number[]): Generator<FloatArray> {
  for (const rank of ranks) yield dataOf(task, rank).x;
}

/** The moments of the arrays `xs` together. */
export function momentsOf(xs: Iterable<FloatArray>, layout: Layout): Moments {
  const total = emptyMoments(layout.channels);
  const all = { from: 0, to: layout.channels };
  for (const x of xs) {
    const own = emptyMoments(layout.channels);
    own.count = plainKernels.moments(own.mean, own.m2, x, layout, all);
    combine(total, own);
  }
  return total;
}

export function emptySums({ channels }: Layout): GradientSums {
  return { dy: new Float64Array(channels), dyXhat: new Float64Array(channels) };
}

/** Adds a rank's sums, over the count of all ranks, to the means. */
export function addMeans(means: GradientSums, sums: GradientSums, count: number): void {
  for (let c = 0; c < means.dy.length; c++) {
    means.dy[c] += sums.dy[c] / count;
    means.dyXhat[c] += sums.dyXhat[c] / count;
  }
}

/** Errors of what was computed: `training` only where there are gradients. */
export function errorsOf(
  got: { readonly y: FloatArray } & Partial<LayerResults>,
  want: LayerResults,
): Errors {
  const forward = worst(got.y, want.y, 1);
  const { dx, dweight, dbias } = got;
  if (dx === undefined || dweight === undefined || dbias === undefined) return { forward };
  // Sums over a channel's values: their error grows with the number of values.
  const values = want.dx.length / want.dbias.length;
  const sums = Math.max(worst(dweight, want.dweight, values), worst(dbias, want.dbias, values));
  return { forward, training: Math.max(forward, worst(dx, want.dx, 1), sums) };
}

function worst(got: FloatArray, want: FloatArray, scale: number): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let error = 0;
  for (let i = 0; i < got.length; i++) {
    const e = Math.abs(got[i] - want[i]) / (scale + Math.abs(want[i]));
    // Written so that NaN counts.
    if (!(e <= error)) error = e;
  }
  return error;
}
