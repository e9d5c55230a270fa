/** The figures of a run, and the table of them. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { finalLoss, largestDifference, lossDifferences } from '../../examples/digits/run.js';
import { formatTable } from '../../examples/digits/table.js';
import { runOf, THREE_RUNS } from './runs.js';

const losses = fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 1 });

/** The cells of the table's row that begins with `name`. */
function cellsOf(table: string, name: string): string[] {
  const line = table.split('\n').find((row) => row.startsWith(`│ ${name} `)) ?? '';
  return line
    .split('│')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

describe('formatTable', () => {
  const table = formatTable(THREE_RUNS);

  it('gives steps, times, final loss and accuracy, and no difference of the first run', () => {
    // 0.1 + 2.2 * (the mean of 0.98^150 to 0.98^199) is 0.1676.
    const expected = ['one rank', '1 × 8', '200', '12.3', '800', '0.1676', '96.3 %', '-', '-'];
    expect(cellsOf(table, 'one rank')).toEqual(expected);
  });

  it('tells the largest difference of the first 100 steps from that of all', () => {
    expect(cellsOf(table, '4 ranks, synchronized').slice(-2)).toEqual(['0', '1.0e-5']);
    expect(cellsOf(table, '4 ranks, each alone').slice(-2)).toEqual(['0.5', '0.5']);
  });

  it('heads the columns, without colours and with lines of equal width', () => {
    for (const head of ['run', 'steps', 'seconds', 'samples a', 'final loss', 'accuracy']) {
      expect(table).toContain(head);
    }
    expect(table).not.toContain('\x1b');
    expect(new Set(table.split('\n').map((line) => line.length)).size).toBe(1);
  });

  it('shows a run that diverged, and one without any test', () => {
    const rest = { accuracies: [], stepSeconds: Number.NaN };
    const diverged = runOf('diverged', [1, Number.NaN], rest);
    const cells = cellsOf(formatTable([runOf('base', [1, 1]), diverged]), 'diverged');
    expect(cells.slice(4)).toEqual(['-', 'NaN', '-', 'NaN', 'NaN']);
  });
});

describe('differences of the loss', () => {
  it('are none from itself, and count in shares of the reference', () => {
    fc.assert(
      fc.property(losses, losses, (a, b) => {
        const [one, other] = [runOf('one', a), runOf('other', b)];
        expect(largestDifference(one, one)).toBe(0);
        const base = runOf(
          'base',
          b.map((loss) => loss + 1),
        );
        const doubled = runOf(
          'doubled',
          b.map((loss) => 2 * (loss + 1)),
        );
        for (const share of lossDifferences(doubled, base)) expect(share).toBe(1);
        expect(lossDifferences(one, other)).toHaveLength(Math.min(a.length, b.length));
      }),
    );
  });

  it('are looked for in the first steps only when asked', () => {
    const [one, other] = [runOf('one', [1, 2, 3]), runOf('other', [1, 2.5, 7, 9])];
    expect(lossDifferences(other, one)).toEqual([0, 0.25, 4 / 3]);
    expect([1, 2, 3, 9].map((steps) => largestDifference(other, one, steps))).toEqual([
      0,
      0.25,
      4 / 3,
      4 / 3,
    ]);
  });
});

describe('finalLoss', () => {
  it('is the mean of the last 50 steps, or of all of fewer', () => {
    expect(finalLoss(runOf('long', [...new Array(60).fill(9), ...new Array(50).fill(2)]))).toBe(2);
    expect(finalLoss(runOf('short', [1, 2, 6]))).toBe(3);
    expect(finalLoss(runOf('none', []))).toBeNaN();
  });
});
