/** The tables of averages of gradients. */

import { type GradientScores, THREADS } from '../gradients/measure.js';
import { drawBars } from './chart.js';
import { digits, type Rows, ranksText, spreadText, verdict } from './table.js';

/** Copies of the bytes that an average over threads may take. */
const MOST_COPIES = 4;

export function gradientTables(all: readonly GradientScores[]): Rows[] {
  return all.map(({ ranks, arrays, bytes, scores }) => {
    const copy = scores.find(({ work }) => work === 'copy')!.time;
    return {
      title: `Averages of gradients, ${ranksText(ranks)}`,
      legend:
        `ResNet-50: ${(bytes / 4e6).toFixed(1)} million float32 in ${arrays} arrays. Copies: over ` +
        'memory.copy of as many bytes, all ranks at once. “mpi” copies the arrays together, calls ' +
        'MPI_Allreduce, scales and copies them back, in C; over the same processes the package ' +
        'averages in their shared memory. “gloo” is the same by PyTorch.',
      head: ['ranks', 'work', 'least ms', 'median ms', 'copies', 'of medians', 'goal'],
      rows: scores.map(({ name, work, time }) => {
        const copies = time.min / copy.min;
        const ms = {
          min: time.min / 1000,
          low: time.low / 1000,
          median: time.median / 1000,
          high: time.high / 1000,
        };
        return [
          ...[name, work, digits(ms.min), spreadText(ms), digits(copies)],
          digits(time.median / copy.median),
          verdict(hasGoal(name, work) ? `<= ${MOST_COPIES}` : null, copies <= MOST_COPIES),
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
  const works = [...new Set(scores.map(({ work }) => work))].filter((work) => work !== 'copy');
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
      goals: names.map((name) => (hasGoal(name, work) ? MOST_COPIES : null)),
    })),
  });
}

function hasGoal(name: string, work: string): boolean {
  return name === THREADS && work.startsWith('average');
}
