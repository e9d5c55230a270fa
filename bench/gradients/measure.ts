/** Averages of a network's gradients, over threads and over MPI where that is asked for, in turns. */

import { MPI_FAMILIES, startMpi } from '../collectives/mpi.js';
import { type Python, startFlatAverage } from '../peers/pytorch.js';
import type { Contestant } from '../turns/contestant.js';
import { play, type Score } from '../turns/play.js';
import { startThreads } from '../turns/threads.js';
import { resNet50 } from './task.js';

export interface GradientScores {
  readonly ranks: number;
  readonly arrays: number;
  readonly bytes: number;
  /** Works of threads, 'copy' among them, and of processes. */
  readonly scores: readonly Score[];
}

export const THREADS = 'threads';

export async function measureGradients(
  ranks: number,
  compare: boolean,
  python: Python | null,
  seconds: number,
  tell: (text: string) => void,
): Promise<GradientScores> {
  const script = new URL('./threads-rank.js', import.meta.url);
  const contestants: Contestant[] = [startThreads(THREADS, script, ranks)];
  const task = resNet50();
  const program = {
    script: new URL('./mpi-rank.js', import.meta.url),
    source: 'bench/gradients/mpi.c',
  };
  try {
    for (const family of compare ? MPI_FAMILIES : []) {
      const world = await startMpi(family, ranks, program);
      if (world !== null) contestants.push(world);
    }
    if (python !== null) contestants.push(startFlatAverage(python, ranks));
    // Float32 of exact halves: a mean of 3 ranks is off by less than a unit in the last place.
    const scores = await play(contestants, task, seconds, 4e-6, tell);
    const numbers = task.lengths.reduce((sum, length) => sum + length);
    return { ranks, arrays: task.lengths.length, bytes: 4 * numbers, scores };
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.close()));
  }
}
