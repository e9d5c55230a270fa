/** Tables of forward and backward against copy and triad. */

import type { Measured, Measurement } from '../rank.js';
import { LIMIT_GOALS, shapeNamed } from '../shapes.js';
import { digits, grouped, type Rows, ranksText, spreadText, verdict } from './table.js';

/** A pass, what limits it, and how many times the bytes of x the limit moves. */
export const PASSES: readonly { name: Measured; limit: 'copy' | 'triad'; moved: number }[] = [
  { name: 'forward', limit: 'copy', moved: 2 },
  { name: 'backward', limit: 'triad', moved: 3 },
];

const LEGEND =
  'Times are of a call on every rank at once. GB/s: the bytes that the limit moves (copy 2, triad 3 ' +
  'times x) in the least time, for each rank. Ratio: least time over the least of the limit; of ' +
  'medians: the same of medians, which stand with their 10th and 90th percentile.';

/** One table for each number of ranks. */
export function layerTables(measurements: readonly Measurement[]): Rows[] {
  return grouped(measurements, ({ ranks }) => String(ranks)).map((group) => {
    const [{ ranks, task, kernels }] = group;
    return {
      title: `Layers, ${ranksText(ranks)}, ${task.dtype}, ${kernels} kernels`,
      legend: LEGEND,
      head: [
        ...['shape', 'layout', 'pass', 'least µs', 'GB/s', 'limit', 'GB/s', 'ratio'],
        ...['median µs', 'of medians', 'goal', 'error'],
      ],
      rows: group.flatMap(rowsOf),
    };
  });
}

function rowsOf(m: Measurement): string[][] {
  const { shape, channelsLast } = m.task;
  const sizes = `${shape} (${shapeNamed(shape, channelsLast).join(',')})`;
  return PASSES.map(({ name, limit, moved }) => {
    const [own, best] = [m.times[name], m.times[limit]];
    const rate = (micros: number) => digits((m.bytes * moved) / micros / 1000);
    return [
      ...[sizes, channelsLast ? 'last' : 'first', name, digits(own.min), rate(own.min)],
      ...[limit, rate(best.min), digits(own.min / best.min), spreadText(own)],
      ...[digits(own.median / best.median), goalText(m, name), m.error.toExponential(0)],
    ];
  });
}

/** The goal of a pass: a ratio, or microseconds where the unit says so; null for none. */
export function goalOf(m: Measurement, name: Measured): { most: number; unit: string } | null {
  const { shape, channelsLast, dtype } = m.task;
  const goals = LIMIT_GOALS[shape]?.[channelsLast ? 'last' : 'first'];
  if (goals === undefined || m.ranks < 2 || dtype !== 'float32') return null;
  return { most: goals[name === 'forward' ? 0 : 1], unit: shape === 'L' ? ' µs' : '' };
}

function goalText(m: Measurement, name: Measured): string {
  const goal = goalOf(m, name);
  if (goal === null) return '';
  const limit = m.times[name === 'forward' ? 'copy' : 'triad'];
  const value = goal.unit === '' ? m.times[name].min / limit.min : m.times[name].min;
  return verdict(`<= ${goal.most}${goal.unit}`, value <= goal.most);
}
