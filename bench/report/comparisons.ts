/** Tables of peers on the same work. */

import type { Comparison } from '../peers/compare.js';
import { digits, grouped, type Rows, ranksText, spreadText, verdict } from './table.js';

const LEGEND =
  'In turns on the same numbers; training is forward and backward. Faster: how many times as fast ' +
  'syncbn is, of least times, and of medians. syncbn and gloo synchronize their ranks; jax-js and ' +
  'TensorFlow.js normalise one batch in each of as many threads, PyTorch alone the whole batch ' +
  'with as many threads. Error: the peer’s largest, to float64.';

/** One table for each number of ranks. */
export function comparisonTables(comparisons: readonly Comparison[]): Rows[] {
  return grouped(comparisons, ({ ranks }) => String(ranks)).map((group) => ({
    title: `Peers, ${ranksText(group[0].ranks)}, float32`,
    legend: LEGEND,
    head: [
      ...['shape', 'layout', 'work', 'peer', 'syncbn µs', 'peer µs'],
      ...['faster', 'of medians', 'goal', 'error'],
    ],
    rows: group.map(rowOf),
  }));
}

function rowOf({ task, work, peer, ours, theirs, error, goal }: Comparison): string[] {
  const faster = theirs.min / ours.min;
  return [
    ...[task.shape, task.channelsLast ? 'last' : 'first', work, peer],
    ...[spreadText(ours), spreadText(theirs)],
    ...[digits(faster), digits(theirs.median / ours.median)],
    ...[
      verdict(goal === null ? null : `>= ${goal}`, faster >= (goal ?? 0)),
      error.toExponential(0),
    ],
  ];
}
