/**
 * Element-wise combination of the ranks' arrays, in rank order, so that every rank that runs it
 * gets the same bits. Float32 sums are carried in float64 and rounded once.
 */

import type { CollectiveArray, ReduceOp } from './transport.js';

/** Elements that are combined at a time; small enough for the first-level cache. */
const BLOCK = 1024;
const accumulator = new Float64Array(BLOCK);

/**
 * Writes op(inputs[0][i], inputs[1][i], ...) into out[i] for i in [from, to).
 *
 * All arrays are of one kind and hold at least `to` elements; `out` may be one of `inputs`.
 * Int32 sums and products wrap around. A NaN wins every max and min, as in NumPy.
 */
export function reduceRanks(
  out: CollectiveArray,
  inputs: readonly CollectiveArray[],
  op: Exclude<ReduceOp, 'mean'>,
  from: number,
  to: number,
): void {
  if (op === 'sum' && inputs.length === 2) {
    const [a, b] = inputs;
    for (let i = from; i < to; i++) out[i] = a[i] + b[i];
    return;
  }
  if (op === 'product' && out instanceof Int32Array) {
    multiplyWhole(out, inputs as readonly Int32Array[], from, to);
    return;
  }
  const combine = COMBINE[op];
  for (let start = from; start < to; start += BLOCK) {
    const length = Math.min(BLOCK, to - start);
    for (let i = 0; i < length; i++) accumulator[i] = inputs[0][start + i];
    for (let r = 1; r < inputs.length; r++) combine(inputs[r], start, length);
    for (let i = 0; i < length; i++) out[start + i] = accumulator[i];
  }
}

type Combine = (input: CollectiveArray, start: number, length: number) => void;

/** Products of whole numbers have more digits than float64. */
function multiplyWhole(
  out: Int32Array,
  inputs: readonly Int32Array[],
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    let product = inputs[0][i];
    for (let r = 1; r < inputs.length; r++) product = Math.imul(product, inputs[r][i]);
    out[i] = product;
  }
}

const COMBINE: Record<Exclude<ReduceOp, 'mean'>, Combine> = {
  sum: (input, start, length) => {
    for (let i = 0; i < length; i++) accumulator[i] += input[start + i];
  },
  max: (input, start, length) => {
    for (let i = 0; i < length; i++) accumulator[i] = Math.max(accumulator[i], input[start + i]);
  },
  product: (input, start, length) => {
    for (let i = 0; i < length; i++) accumulator[i] *= input[start + i];
  },
  min: (input, start, length) => {
    for (let i = 0; i < length; i++) accumulator[i] = Math.min(accumulator[i], input[start + i]);
  },
};
