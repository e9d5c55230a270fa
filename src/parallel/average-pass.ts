/**
 * Averages of targets over a group, in one of two ways that give the same bits: few numbers travel
 * as float64 in one all-reduce; many stay where they are, and go through the group piece by piece.
 */

import { allocate, narrow, widen } from '../core/dtype.js';
import { after, before, finished, meeting, type Pass } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Weights } from '../group/transport.js';
import { listsOf } from './lists.js';
import type { Target } from './targets.js';

/** Group, weights and label of an average. */
export interface Average {
  /** Has two ranks or more. */
  readonly group: ProcessGroup;
  /** Factor of this rank's numbers. */
  readonly own: number;
  /** This rank's part of the divisor. */
  readonly total: number;
  readonly label: string;
}

/** Most numbers for which one all-reduce of float64 is faster than a meeting before the sums. */
const FEW = 2048;

/** Memory for numbers that ranks send besides long lists, kept between calls. Null while in use. */
let spare: Float64Array | null = null;

/** Memory for `length` numbers or more, to be given back by {@link giveBack}. */
function take(length: number): Float64Array {
  const there = spare;
  spare = null;
  return there !== null && there.length >= length ? there : new Float64Array(2 * length);
}

function giveBack(memory: Float64Array): void {
  spare = memory;
}

/**
 * Replaces the targets' numbers by their averages.
 * @param optional places of targets that ranks may lack, which count as zeros on these ranks. They
 *   get data unless all ranks lack them
 * @returns a pass that yields the sum of the ranks' `total`
 */
export function averagePass(
  targets: readonly Target[],
  optional: readonly number[],
  by: Average,
): Pass<number> {
  const length = targets.reduce((sum, target) => sum + target.length, 0);
  return length <= FEW ? together(targets, optional, length, by) : apart(targets, optional, by);
}

/** One all-reduce: values times a factor, flags of targets that are there, the divisor's part. */
function together(
  targets: readonly Target[],
  optional: readonly number[],
  length: number,
  { group, own, total, label }: Average,
): Pass<number> {
  const memory = take(length + optional.length + 1);
  const numbers = memory.subarray(0, length + optional.length + 1);
  let at = 0;
  for (const { data, dtype, length: count } of targets) {
    const values = data === null ? null : widen(data, dtype);
    for (let i = 0; i < count; i++) {
      // Means over no samples are 0 / 0, and must not count.
      numbers[at + i] = own === 0 || values === null ? 0 : values[i] * own;
    }
    at += count;
  }
  optional.forEach((i, place) => {
    numbers[length + place] = targets[i].data === null ? 0 : 1;
  });
  numbers[numbers.length - 1] = total;
  return after(meeting(group.allReduce(numbers, { label }), numbers), () => {
    provide(targets, optional, numbers.subarray(length));
    scatter(numbers, targets);
    giveBack(memory);
    return numbers[numbers.length - 1];
  });
}

/** Gives data to targets that some rank has. */
function provide(
  targets: readonly Target[],
  optional: readonly number[],
  flags: Float64Array,
): void {
  optional.forEach((i, place) => {
    const target = targets[i];
    if (flags[place] > 0) target.data ??= allocate(target.dtype, target.length);
  });
}

/** Divides the sums by their last element and writes the averages to the targets. */
function scatter(sums: Float64Array, targets: readonly Target[]): void {
  const divisor = sums[sums.length - 1];
  let at = 0;
  for (const { data, dtype, length } of targets) {
    const values = sums.subarray(at, at + length);
    at += length;
    if (data === null) continue;
    const factor = 1 / divisor;
    const isDouble = dtype === 'float64';
    for (let i = 0; i < length; i++) {
      // No samples anywhere: the gradients are sums over nothing, 0.
      if (divisor === 0) values[i] = 0;
      // The rounding of long lists, which travel as float32 or float64.
      else values[i] = isDouble ? values[i] / divisor : Math.fround(values[i] * factor);
    }
    narrow(values, data, dtype);
  }
}

/** The ranks' factors and flags first; then piece by piece, each target in place. */
function apart(targets: readonly Target[], optional: readonly number[], by: Average): Pass<number> {
  const { group, label } = by;
  return knowing(targets, optional, by, ({ weights, divisor, total, flags }) => {
    provide(targets, optional, flags);
    const given = targets.filter(({ data }) => data !== null);
    if (total === 0) {
      for (const { data } of given) data?.fill(0);
      return finished(total);
    }
    const lists = listsOf(given);
    const step = () => {
      const list = lists.shift();
      if (list === undefined) return null;
      return group.averageList(list, { weights, divisor }, list.like, { label });
    };
    return { step, result: total };
  });
}

/** Knowledge of all ranks about one another before they average. */
export interface Known extends Weights {
  /** Sum of all ranks' `total`. */
  readonly total: number;
  /** Number of ranks that have each of the optional targets. */
  readonly flags: Float64Array;
}

/** Runs the pass that `next` makes once the ranks' factors, divisors and flags are known. */
export function knowing<T>(
  targets: readonly Target[],
  optional: readonly number[],
  { group, own, total, label }: Average,
  next: (known: Known) => Pass<T>,
): Pass<T> {
  const width = 2 + optional.length;
  const memory = take(width * (1 + group.size));
  const sent = memory.subarray(0, width);
  const all = memory.subarray(width, width * (1 + group.size));
  sent[0] = own;
  sent[1] = total;
  optional.forEach((i, place) => {
    sent[2 + place] = targets[i].data === null ? 0 : 1;
  });
  const gathered = meeting(group.allGather(sent, { out: all, label }), undefined);
  return before(gathered, () => {
    const weights = new Float64Array(group.size);
    const flags = new Float64Array(optional.length);
    let sum = 0;
    for (let rank = 0; rank < group.size; rank++) {
      const from = rank * width;
      weights[rank] = all[from];
      sum += all[from + 1];
      for (let i = 0; i < flags.length; i++) flags[i] += all[from + 2 + i];
    }
    giveBack(memory);
    return next({ ...simplest(weights, sum), total: sum, flags });
  });
}

/** Simplifies weights: 1 for ranks that weigh alike, so that no product has to be rounded. */
function simplest(weights: Float64Array, divisor: number): Weights {
  const { length } = weights;
  const [first] = weights;
  const areAlike = first > 0 && weights.every((weight) => weight === first);
  if (!areAlike || divisor !== first * length) return { weights, divisor };
  return { weights: weights.fill(1), divisor: length };
}
