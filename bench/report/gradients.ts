/** The tables of averages of gradients and of long sums. */

import { type GradientScores, THREADS } from '../gradients/measure.js';
import { drawBars } from './chart.js';
import { digits, type Rows, ranksText, spreadText, verdict } from './table.js';

/** Copies of the bytes that an average may take. */
const MOST_COPIES = 4;
/** The most that sums over threads may take. */
const SUMS: Readonly<Record<string, { copies?: number; ms?: number }>> = {
  'sum of 25,000,000': { copies: 3 },
  'sum of 25,000,000, in the kernels’ memory': { copies: 2 },
  'sum of 1,000,000': { ms: 0.5 },
  'sum of 100,000': { ms: 0.05 },
};

export function gradientTables(all: readonly GradientScores[]): Rows[] {
  return all.map(({ ranks, arrays, bytes, scores }) => {
    const copy = scores.find(({ work }) => work === 'copy')!.time;
    return {
      title: `Averages of gradients, ${ranksText(ranks)}`,
      legend:
        `ResNet-50: ${(bytes / 4e6).toFixed(1)} million float32 in ${arrays} arrays. Copies: over ` +
        'memory.copy of as many bytes, all ranks at once. “mpi” copies the arrays together, calls ' +
        'MPI_Allreduce, scales and copies them back, in C; over the same processes the package ' +
        'averages in their shared memory. “gloo” is the same by PyTorch. Sums: one all-reduce of ' +
        'so many float32; copies are those of their own bytes, taken from the larger copy.',
      head: ['ranks', 'work', 'least ms', 'median ms', 'copies', 'of medians', 'goal'],
      rows: scores.map(({ name, work, time }) => {
        const part = bytes / (bytesOf(work) ?? bytes);
        const copies = (part * time.min) / copy.min;
        const ms = {
          min: time.min / 1000,
          low: time.low / 1000,
          median: time.median / 1000,
          high: time.high / 1000,
        };
        return [
          ...[name, work, digits(ms.min), spreadText(ms), digits(copies)],
          digits((part * time.median) / copy.median),
          verdictOf(name, work, copies, ms.min),
        ];
      }),
    };
  });
}

/** Copies of the bytes that each average takes, of the largest number of ranks; null: none. */
export function gradientPicture(all: readonly GradientScores[]): string | null {
  const most = Math.max(...all.map(({ ranks }) => ranks));
  const shown = all.find(({ ranks }) => ranks === most);
  if (shown === undefined) return null;
  const { scores, bytes, ranks } = shown;
  const works = [...new Set(scores.map(({ work }) => work))].filter(
    (work) => work !== 'copy' && bytesOf(work) === null,
  );
  const names = [...new Set(scores.map(({ name }) => name))];
  const copy = scores.find(({ work }) => work === 'copy')!.time.min;
  return drawBars({
    title: `Averages of ${(bytes / 4e6).toFixed(1)} million float32, ${ranksText(ranks)}`,
    subtitle: 'Ratio of least times to memory.copy of as many bytes. Dashes are goals, from above.',
    categories: names,
    log: false,
    bars: works.map((work) => ({
      name: work,
      values: names.map((name) => {
        const score = scores.find((each) => each.name === name && each.work === work);
        return score === undefined ? null : Number((score.time.min / copy).toPrecision(3));
      }),
      goals: names.map(() => (hasGoal(work) ? MOST_COPIES : null)),
    })),
  });
}

/** Bytes of a sum; null for other works. */
function bytesOf(work: string): number | null {
  const numbers = /^sum of ([\d,]+)/.exec(work)?.[1];
  return numbers === undefined ? null : 4 * Number(numbers.replaceAll(',', ''));
}

function verdictOf(name: string, work: string, copies: number, ms: number): string {
  if (hasGoal(work)) return verdict(`<= ${MOST_COPIES}`, copies <= MOST_COPIES);
  const goal = name === THREADS ? SUMS[work] : undefined;
  if (goal?.copies !== undefined) return verdict(`<= ${goal.copies}`, copies <= goal.copies);
  if (goal?.ms !== undefined) return verdict(`<= ${goal.ms} ms`, ms <= goal.ms);
  return '';
}

/** True for this package's averages, over threads and over processes. */
function hasGoal(work: string): boolean {
  return work.startsWith('average');
}
