/** Tables of what forward and backward cost in C, and of layers over it. */

import type { Floor } from '../floors/measure.js';
import type { Measurement } from '../rank.js';
import { C_GOALS } from '../shapes.js';
import { drawBars } from './chart.js';
import { PASSES } from './layers.js';
import { categoryOf, largest } from './pictures.js';
import { digits, grouped, type Rows, ranksText, verdict } from './table.js';

/** Bytes of WebAssembly's vectors. */
const OWN_WIDTH = 16;

const FLOOR_LEGEND =
  'Least times on as many cores as ranks of copy, triad and the loops alone: in two passes, fused ' +
  'into one that works on a block of 64 KB while it sums the next one, and in two passes over rows ' +
  'of the shape’s channels. No tails, promotion to float64, exchange or JavaScript; channels first, ' +
  'no channels either. WebAssembly’s vectors have 128 bits, those of copy are the processor’s.';

const OVER_LEGEND =
  'Least times over those of C’s loops with vectors of 128 bits, on as many cores. Best: of two ' +
  'passes, the fused one, and rows. Two passes: of planes, or of rows for channels-last arrays, as ' +
  'the kernels take them. Goals are of the best; of A channels last, of two passes.';

/** Two rows a shape, for each number of ranks and width of vectors. L is all overhead. */
export function floorTables(floors: readonly Floor[]): Rows[] {
  return grouped(floors, ({ ranks, width }) => `${ranks} ${width}`).map((group) => ({
    title: `The least in C, ${ranksText(group[0].ranks)}, vectors of ${8 * group[0].width} bits`,
    legend: FLOOR_LEGEND,
    head: [
      ...['shape', 'pass', 'limit', 'µs', 'two passes µs', 'ratio', 'fused µs', 'ratio'],
      ...['rows µs', 'ratio'],
    ],
    rows: group
      .filter(({ shape }) => shape !== 'L')
      .flatMap((floor) =>
        PASSES.map(({ name, limit }, pass) => [
          ...[floor.shape, name, limit, digits(floor[limit])],
          ...timesOf(floor, pass).flatMap((time) => [digits(time), digits(time / floor[limit])]),
        ]),
      ),
  }));
}

/** Of two passes, the fused one, and rows. */
function timesOf(floor: Floor, pass: number): number[] {
  return pass === 0
    ? [floor.forward, floor.forwardFused, floor.forwardRows]
    : [floor.backward, floor.backwardFused, floor.backwardRows];
}

/** One table for each number of ranks. */
export function overCTables(layers: readonly Measurement[], floors: readonly Floor[]): Rows[] {
  const all = layers.flatMap((m) => ratiosOf(m, floors));
  return grouped(all, ({ m }) => String(m.ranks)).map((group) => ({
    title: `Layers over C’s loops, ${ranksText(group[0].m.ranks)}, float32`,
    legend: OVER_LEGEND,
    head: ['shape', 'layout', 'pass', 'least µs', 'over two passes', 'over the best', 'goal'],
    rows: group.map(({ m, name, twoPasses, best, goal, isOfPasses }) => [
      ...[m.task.shape, m.task.channelsLast ? 'last' : 'first', name, digits(m.times[name].min)],
      ...[digits(twoPasses), digits(best)],
      goal === null ? '' : verdict(`<= ${goal}`, (isOfPasses ? twoPasses : best) <= goal),
    ]),
  }));
}

/** Layers over the best of C's loops, of the largest number of ranks; null: none. */
export function overCPicture(
  layers: readonly Measurement[],
  floors: readonly Floor[],
): string | null {
  const shown = largest(layers).map((m) => ratiosOf(m, floors));
  const known = shown.filter((ratios) => ratios.length > 0);
  if (known.length === 0) return null;
  return drawBars({
    title: `Layers over C’s loops with vectors of 128 bits, ${ranksText(known[0][0].m.ranks)}`,
    subtitle: 'Ratio of least times: 1 is the best of C’s loops. Dashes are goals, from above.',
    categories: known.map(([{ m }]) => categoryOf(m.task)),
    log: false,
    bars: PASSES.map(({ name }, pass) => ({
      name,
      values: known.map((ratios) => Number(ratios[pass].best.toPrecision(3))),
      goals: known.map((ratios) => (ratios[pass].isOfPasses ? null : ratios[pass].goal)),
    })),
  });
}

/** Forward and backward; none where C was not measured. */
function ratiosOf(m: Measurement, floors: readonly Floor[]) {
  const { shape, channelsLast, dtype } = m.task;
  const floor = floors.find(
    (each) => each.shape === shape && each.ranks === m.ranks && each.width === OWN_WIDTH,
  );
  if (floor === undefined || shape === 'L' || dtype !== 'float32') return [];
  return PASSES.map(({ name }, pass) => {
    const times = timesOf(floor, pass);
    const time = m.times[name].min;
    const twoPasses = time / times[channelsLast ? 2 : 0];
    const best = time / Math.min(...times);
    const goals = m.ranks > 1 ? C_GOALS[shape]?.[channelsLast ? 'last' : 'first'] : undefined;
    const goal = goals?.[pass] ?? null;
    return { m, name, twoPasses, best, goal, isOfPasses: shape === 'A' };
  });
}
