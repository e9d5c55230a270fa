/** The tables of what forward and backward cost in C. */

import type { Floor } from '../floors/measure.js';
import { GOALS } from '../shapes.js';
import { digits, grouped, type Rows } from './table.js';

const LEGEND =
  'Least times on one core of copy, triad and the loops alone: in two passes, fused into one that ' +
  'works on a block of 64 KB while it sums the next one, and in two passes over rows of the shape’s ' +
  'channels. No tails, promotion to float64, exchange or JavaScript; channels first, no channels ' +
  'either. WebAssembly’s vectors have 128 bits, those of copy are the processor’s. Where all ratios ' +
  'are above a goal, no kernel reaches it on this machine.';

/** Two rows a shape, for each width of vectors. L is all overhead. */
export function floorTables(floors: readonly Floor[]): Rows[] {
  return grouped(floors, ({ width }) => String(width)).map((group) => ({
    title: `The least in C, vectors of ${8 * group[0].width} bits`,
    legend: LEGEND,
    head: [
      ...['shape', 'pass', 'limit', 'µs', 'two passes µs', 'ratio', 'fused µs', 'ratio', 'goal'],
      ...['rows µs', 'ratio', 'goal'],
    ],
    rows: group.filter(({ shape }) => shape !== 'L').flatMap(rowsOf),
  }));
}

function rowsOf(floor: Floor): string[][] {
  const { shape, copy, triad } = floor;
  const forward = [floor.forward, floor.forwardFused, floor.forwardRows];
  const backward = [floor.backward, floor.backwardFused, floor.backwardRows];
  return [
    [shape, 'forward', 'copy', ...cells(shape, copy, forward, 0)],
    [shape, 'backward', 'triad', ...cells(shape, triad, backward, 1)],
  ];
}

/** Of the limit, two passes, the fused one, and rows; `pass` is the goals' index. */
function cells(
  shape: Floor['shape'],
  limit: number,
  [twoPasses, fused, rows]: readonly number[],
  pass: 0 | 1,
): string[] {
  const { first, last } = GOALS[shape];
  const ratio = (time: number) => digits(time / limit);
  return [
    ...[digits(limit), digits(twoPasses), ratio(twoPasses), digits(fused), ratio(fused)],
    ...[`<= ${first[pass]}`, digits(rows), ratio(rows), `<= ${(last ?? first)[pass]}`],
  ];
}
