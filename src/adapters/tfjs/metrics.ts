/** `averageMetrics`: the ranks' metrics of their own samples, as one result. */

import { Tensor } from '@tensorflow/tfjs-core';
import { checkOptionNames } from '../../core/options.js';
import { show } from '../../core/show.js';
import { findGroup, type GroupLike } from '../../group/world.js';
import { sumOverGroup, tellingErrors } from './peers.js';
import { isPlain } from './plain.js';
import { isReadable, UNREADABLE } from './readable.js';

const LABEL = 'averageMetrics';

/** A number, or a scalar with it. */
export type Metric = number | Tensor;

/** Metrics as `evaluate` returns them, or by name. */
export type Metrics = Metric | readonly Metric[] | Readonly<Record<string, Metric>>;

/** The metrics' form with numbers for scalars. */
export type Averaged<M extends Metrics> = M extends Metric
  ? number
  : M extends readonly Metric[]
    ? number[]
    : { [K in keyof M]: number };

export interface AverageMetricsOptions {
  /** Samples that this rank's metrics are means of, 0 or more. Default: all ranks weigh the same. */
  samples?: number;
  /** Ranks that take part. Default: the world. */
  group?: GroupLike;
}

/**
 * The means over all samples of the group, whose ranks all call it after evaluating their own:
 * `averageMetrics(model.evaluate(xs, ys), { samples: xs.shape[0] })`.
 * @returns numbers in the form of `values`; NaN if no rank has samples
 * @throws TypeError for values that are not metrics; RangeError for samples below 0
 */
export function averageMetrics<M extends Metrics>(
  values: M,
  options: AverageMetricsOptions = {},
): Averaged<M> {
  checkOptionNames(options, ['samples', 'group'], LABEL);
  const { samples = 1, group: groupLike } = options;
  const group = findGroup(groupLike, LABEL);
  const keys = isMetric(values) ? [] : Object.keys(values);
  const own = tellingErrors(group, LABEL, () => {
    if (typeof samples !== 'number') {
      throw new TypeError(`${LABEL}: samples must be a number, got ${show(samples)}`);
    }
    if (!(samples >= 0 && samples < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`${LABEL}: samples must be finite and 0 or more, got ${samples}`);
    }
    const list = isMetric(values) ? [values] : Object.values<Metric>(values);
    // A mean over no samples is NaN, and must not count.
    return list.map((value) => (samples === 0 ? 0 : numberOf(value) * samples));
  });
  const sums = sumOverGroup(group, [...own, samples], `${LABEL} (${keys.join()})`);
  const means = Array.from(sums.subarray(0, -1), (sum) => sum / sums[own.length]);
  return inFormOf(values, keys, means) as Averaged<M>;
}

function isMetric(values: unknown): values is Metric {
  return !Array.isArray(values) && !isPlain(values);
}

function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (value instanceof Tensor && value.size === 1) {
    if (isReadable()) return value.dataSync()[0];
    throw new Error(`${LABEL}: ${UNREADABLE}; await its data() and give the number`);
  }
  throw new TypeError(`${LABEL}: expected a number or a scalar, got ${show(value)}`);
}

function inFormOf(values: Metrics, keys: string[], means: number[]): unknown {
  if (isMetric(values)) return means[0];
  return Array.isArray(values) ? means : Object.fromEntries(keys.map((key, i) => [key, means[i]]));
}
