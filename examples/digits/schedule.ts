/** Which samples each step takes, on which rank, and how large the step is. */

import { seededRandom } from './random.js';

/** What fixes the order of the samples and the learning rates of a training. */
export interface Schedule {
  readonly steps: number;
  /** Samples of one step over all ranks. */
  readonly batchSize: number;
  readonly seed: number;
  /** Largest learning rate; see {@link rateOf}. */
  readonly learningRate: number;
}

/** Share of the steps in which the learning rate rises. */
const WARM_UP = 0.2;

/**
 * The learning rate rises in a straight line, as Goyal et al. ("Accurate, Large Minibatch SGD",
 * 2017) advise, then falls to 0 in one. At the full rate the first steps are chaotic: rounding
 * errors of 1e-7 had grown to 1e-2 after 100 steps; this way they stay near 1e-6.
 * @param step counts from 0
 */
export function rateOf(
  step: number,
  { learningRate, steps }: Pick<Schedule, 'learningRate' | 'steps'>,
): number {
  const rise = (step + 1) / (WARM_UP * steps);
  const fall = (steps - step) / ((1 - WARM_UP) * steps);
  return learningRate * Math.min(rise, fall);
}

/** Indices of `count` samples in the order in which steps take them; each epoch anew. */
export function sampleOrder(
  count: number,
  { steps, batchSize, seed }: Pick<Schedule, 'steps' | 'batchSize' | 'seed'>,
): Uint32Array {
  const random = seededRandom(seed);
  const order = new Uint32Array(steps * batchSize);
  const epoch = Uint32Array.from({ length: count }, (_, i) => i);
  for (let at = 0; at < order.length; at++) {
    // Fisher and Yates, as far as it is needed.
    const from = at % count;
    const other = from + Math.floor(random() * (count - from));
    [epoch[from], epoch[other]] = [epoch[other], epoch[from]];
    order[at] = epoch[from];
  }
  return order;
}

/** One rank's share of a step's samples: as even as can be. @param step counts from 0 */
export function ownSamples(
  order: Uint32Array,
  step: number,
  batchSize: number,
  { rank, size }: { readonly rank: number; readonly size: number },
): Uint32Array {
  const edge = (at: number) => step * batchSize + Math.floor((at * batchSize) / size);
  return order.subarray(edge(rank), edge(rank + 1));
}
