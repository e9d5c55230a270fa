/** The tables of averages of gradients. */

import { type GradientScores, THREADS } from '../gradients/measure.js';
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
        'averages in their shared memory.',
      head: ['ranks', 'work', 'least ms', 'median ms', 'copies', 'of medians', 'goal'],
      rows: scores.map(({ name, work, time }) => {
        const copies = time.min / copy.min;
        const hasGoal = name === THREADS && work.startsWith('average');
        const ms = {
          min: time.min / 1000,
          low: time.low / 1000,
          median: time.median / 1000,
          high: time.high / 1000,
        };
        return [
          ...[name, work, digits(ms.min), spreadText(ms), digits(copies)],
          digits(time.median / copy.median),
          verdict(hasGoal ? `<= ${MOST_COPIES}` : null, copies <= MOST_COPIES),
        ];
      }),
    };
  });
}
