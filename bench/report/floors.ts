/** The tables of what forward and backward cost in C. */

import type { Floor } from '../floors/measure.js';
import { GOALS } from '../shapes.js';
import { digits, grouped, type Rows } from './table.js';

const LEGEND =
  'Least times on one core of copy, triad and the loops alone: in two passes, and fused into one that ' +
  'works on a block of 64 KB while it sums the next one. No channels, tails, promotion to float64, ' +
  'exchange or JavaScript. WebAssembly’s vectors have 128 bits, those of copy are the processor’s. ' +
  'Where all ratios are above a goal, no kernel reaches it on this machine.';

/** Two rows a shape, for each width of vectors. L is all overhead. */
export function floorTables(floors: readonly Floor[]): Rows[] {
  return grouped(floors, ({ width }) => String(width)).map((group) => ({
    title: `The least in C, vectors of ${8 * group[0].width} bits`,
    legend: LEGEND,
    head: ['shape', 'pass', 'limit', 'µs', 'two passes µs', 'ratio', 'fused µs', 'ratio', 'goal'],
    rows: group
      .filter(({ shape }) => shape !== 'L')
      .flatMap(({ shape, copy, triad, forward, backward, forwardFused, backwardFused }) => {
        const [first, second] = GOALS[shape].first;
        return [
          [shape, 'forward', 'copy', ...cells(copy, forward, forwardFused), `<= ${first}`],
          [shape, 'backward', 'triad', ...cells(triad, backward, backwardFused), `<= ${second}`],
        ];
      }),
  }));
}

function cells(limit: number, twoPasses: number, fused: number): string[] {
  const ratio = (time: number) => digits(time / limit);
  return [digits(limit), digits(twoPasses), ratio(twoPasses), digits(fused), ratio(fused)];
}
