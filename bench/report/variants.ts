/** Tables and pictures of the ways to run a layer against the plain one. */

import type { VariantScore } from '../variants/measure.js';
import { LEGENDS, TITLES, type VariantPart } from '../variants/variants.js';
import { drawBars } from './chart.js';
import { digits, grouped, type Rows, ranksText, spreadText, verdict } from './table.js';

const LEGEND =
  'Plain: float32 in the kernels’ memory, outputs given, in turns on the same threads. Ratio: of ' +
  'least times; of medians: the same of medians. Training: forward and backward.';

/** One table for each part and number of ranks. */
export function variantTables(scores: readonly VariantScore[]): Rows[] {
  return grouped(scores, ({ task, ranks }) => `${task.part} ${ranks}`).map((group) => {
    const [{ task, ranks }] = group;
    return {
      title: `${TITLES[task.part]}, ${ranksText(ranks)}`,
      legend: `${LEGENDS[task.part]} ${LEGEND}`,
      head: [
        ...['shape', 'layout', 'way', 'pass', 'plain µs', 'median µs', 'ratio', 'of medians'],
        ...['goal', 'error'],
      ],
      rows: group.map((score) => {
        const { name, work, plain, time, goal, error } = score;
        const { shape, channelsLast } = score.task;
        const ratio = time.min / plain.min;
        return [
          ...[shape, channelsLast ? 'last' : 'first', name, work, spreadText(plain)],
          ...[spreadText(time), digits(ratio), digits(time.median / plain.median)],
          verdict(goal === null ? null : `<= ${goal}`, ratio <= (goal ?? 0)),
          error.toExponential(0),
        ];
      }),
    };
  });
}

/**
 * Ratios of least times of one part, on the largest number of ranks, of the pass that its goals are
 * for; null: there are none.
 */
export function variantPicture(all: readonly VariantScore[], part: VariantPart): string | null {
  const shownWork = part === 'tail' ? 'forward' : 'training';
  const own = all.filter(
    ({ task, work }) => task.part === part && task.shape !== 'L' && work === shownWork,
  );
  const most = Math.max(...own.map(({ ranks }) => ranks));
  const shown = own.filter(({ ranks }) => ranks === most);
  if (shown.length === 0) return null;
  const categories = [...new Set(shown.map(categoryOf))];
  const bars = grouped(shown, ({ name }) => name);
  return drawBars({
    title: `${TITLES[part]}: ${shownWork}, ${ranksText(most)}`,
    subtitle: 'Ratio of least times: plain calls are 1. Dashes are goals, from above.',
    categories,
    log: part === 'tail',
    bars: bars.map((group) => {
      const found = categories.map((category) =>
        group.find((score) => categoryOf(score) === category),
      );
      return {
        name: group[0].name,
        values: found.map((score) =>
          score ? Number((score.time.min / score.plain.min).toPrecision(3)) : null,
        ),
        goals: found.map((score) => score?.goal ?? null),
      };
    }),
  });
}

function categoryOf({ task: { shape, channelsLast } }: VariantScore): string {
  return `${shape} ${channelsLast ? 'last' : 'first'}`;
}
