/** The numbers that ranks give, and those that must come out, worked out without the package. */

import type { Op, Program } from './program.js';

export type Numbers = Float64Array | Float32Array | Int32Array;

const ARRAYS = { float64: Float64Array, float32: Float32Array, int32: Int32Array };

/** What `rank` gives to a collective: small integers, whose sums are exact in every type. */
export function inputOf(op: Op, rank: number): Numbers {
  const input = new ARRAYS[op.type](op.length);
  for (let i = 0; i < input.length; i++) input[i] = ((i * 7 + rank * 13 + op.index * 5) % 31) - 15;
  return input;
}

/** What every rank must get from a plain collective. */
export function resultOf(op: Op, ranks: readonly number[]): Numbers {
  const inputs = ranks.map((rank) => inputOf(op, rank));
  if (op.kind === 'broadcast') return inputs[op.root];
  const { length } = op;
  const result = new ARRAYS[op.type](op.kind === 'allGather' ? length * ranks.length : length);
  if (op.kind === 'allGather') {
    inputs.forEach((input, member) => {
      result.set(input, member * length);
    });
    return result;
  }
  for (let i = 0; i < length; i++) result[i] = combine(op, inputs, i);
  return result;
}

function combine({ reduce }: Op, inputs: readonly Numbers[], i: number): number {
  let value = inputs[0][i];
  for (let m = 1; m < inputs.length; m++) {
    const next = inputs[m][i];
    if (reduce === 'sum') value += next;
    else value = reduce === 'max' ? Math.max(value, next) : Math.min(value, next);
  }
  return value;
}

/** A layer's input on `rank`, shape (N, channels): ranks have different N. */
export function layerInput(op: Op, rank: number): { values: Float64Array; shape: number[] } {
  const samples = 2 + (rank % 3) + (op.index % 2);
  const values = Float64Array.from(
    { length: samples * op.channels },
    (_, i) => ((i * 3 + rank * 5 + op.index) % 11) - 5,
  );
  return { values, shape: [samples, op.channels] };
}

/** Gradient of a layer's output on `rank`. */
export function layerGradient(op: Op, rank: number): Float64Array {
  const { length } = layerInput(op, rank).values;
  return Float64Array.from({ length }, (_, i) => ((i * 5 + rank * 3 + op.index) % 7) - 3);
}

const EPS = 1e-5;

/** Output and input gradient of a layer on `rank`, from the batches of all members in float64. */
export function layerResult(
  op: Op,
  ranks: readonly number[],
  rank: number,
): { y: Float64Array; dx: Float64Array } {
  const own = layerInput(op, rank).values;
  const dy = layerGradient(op, rank);
  const [y, dx] = [new Float64Array(own.length), new Float64Array(own.length)];
  for (let c = 0; c < op.channels; c++) {
    const channel = (values: Float64Array) => values.filter((_, i) => i % op.channels === c);
    const x = ranks.flatMap((r) => [...channel(layerInput(op, r).values)]);
    const d = ranks.flatMap((r) => [...channel(layerGradient(op, r))]);
    const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
    const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
    const invstd = 1 / Math.sqrt(variance + EPS);
    const meanDy = d.reduce((sum, v) => sum + v, 0) / d.length;
    const dot = d.reduce((sum, v, i) => sum + v * (x[i] - mean) * invstd, 0) / d.length;
    for (let i = c; i < own.length; i += op.channels) {
      const xhat = (own[i] - mean) * invstd;
      y[i] = xhat;
      dx[i] = invstd * (dy[i] - meanDy - xhat * dot);
    }
  }
  return { y, dx };
}

/** Two gradients of `rank`, for averaging; together as long in either order. */
export function gradientsOf(op: Op, rank: number): [Float64Array, Float64Array] {
  return [Float64Array.of(rank + op.index, 2 * rank, 3), Float64Array.of(-rank, op.index)];
}

/** Where the values differ first, or null; `tolerance` is relative to 1 + |expected|. */
export function difference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance = 0,
): string | null {
  if (actual.length !== expected.length) {
    return `${actual.length} elements, not ${expected.length}`;
  }
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    if (!(error <= tolerance * (1 + Math.abs(expected[i])))) {
      return `element ${i} is ${actual[i]}, not ${expected[i]}`;
    }
  }
  return null;
}

/** World ranks of a call's members. */
export const membersOf = (program: Program, op: Op) => program.groups[op.group].ranks;
