/** Pictures of a run, of its largest number of ranks; null where there is nothing to show. */

import type { Comparison } from '../peers/compare.js';
import type { Measurement } from '../rank.js';
import { drawBars } from './chart.js';
import { goalOf, PASSES } from './layers.js';
import { ranksText } from './table.js';

/** Forward over copy and backward over triad. L has its goals in microseconds, and is left out. */
export function layerPicture(measurements: readonly Measurement[]): string | null {
  const shown = largest(measurements).filter(({ task }) => task.shape !== 'L');
  if (shown.length === 0) return null;
  const [{ ranks, task }] = shown;
  return drawBars({
    title: `Layers over their limits, ${ranksText(ranks)}, ${task.dtype}`,
    subtitle: 'Ratio of least times: 1 is the limit. Dashes are goals, from above.',
    categories: shown.map(({ task }) => categoryOf(task)),
    log: false,
    bars: PASSES.map(({ name, limit }) => ({
      name: `${name} / ${limit}`,
      values: shown.map(({ times }) => round(times[name].min / times[limit].min)),
      goals: shown.map((m) => goalOf(m, name)?.most ?? null),
    })),
  });
}

/** How many times as fast as each peer the forward pass is. */
export function comparisonPicture(comparisons: readonly Comparison[]): string | null {
  const shown = largest(comparisons).filter(({ work }) => work === 'forward');
  if (shown.length === 0) return null;
  const categories = [...new Set(shown.map(({ task }) => categoryOf(task)))];
  const peers = [...new Set(shown.map(({ peer }) => peer))];
  return drawBars({
    title: `Forward, times as fast as peers, ${ranksText(shown[0].ranks)}, float32`,
    subtitle: 'Ratio of least times, above 1 where syncbn is faster. Dashes are goals, from below.',
    categories,
    log: true,
    bars: peers.map((name) => {
      const found = categories.map((category) =>
        shown.find(({ peer, task }) => peer === name && categoryOf(task) === category),
      );
      return {
        name,
        values: found.map((each) => (each ? round(each.theirs.min / each.ours.min) : null)),
        goals: found.map((each) => each?.goal ?? null),
      };
    }),
  });
}

/** Those of the largest number of ranks. */
export function largest<T extends { readonly ranks: number }>(items: readonly T[]): T[] {
  const most = Math.max(...items.map(({ ranks }) => ranks));
  return items.filter(({ ranks }) => ranks === most);
}

/** "B first" */
export function categoryOf({ shape, channelsLast }: Measurement['task']): string {
  return `${shape} ${channelsLast ? 'last' : 'first'}`;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
