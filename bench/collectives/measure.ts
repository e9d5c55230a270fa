/** Latencies of all-reduces over threads, and over MPI where that is asked for, in turns. */

import type { Spread } from '../statistics.js';
import type { Contestant } from '../turns/contestant.js';
import { play, type Score } from '../turns/play.js';
import { startThreads } from '../turns/threads.js';
import { MPI_FAMILIES, SUMS, startMpi } from './mpi.js';

/** All-reduces of 2C + 1 float64. */
export interface Latency {
  readonly ranks: number;
  readonly channels: number;
  /** This package over threads. */
  readonly threads: Spread;
  readonly rivals: readonly Rival[];
}

/** An MPI library between processes, and this package over the same. */
export interface Rival {
  /** Its name and version, and whether it was called from C or through koffi. */
  readonly name: string;
  readonly mpi: Spread;
  readonly syncbn: Spread;
}

export interface LatencyOptions {
  /** Against MPI too, where it is there. */
  readonly compare: boolean;
  /** Seconds for each contestant and length. */
  readonly seconds: number;
  readonly onLatency: (latency: Latency) => void;
}

const CHANNELS = [64, 128, 256, 512, 1024, 2048];
const THREADS = 'threads';

/** Measures every length in one world of each kind. */
export async function measureLatencies(
  ranks: number,
  { compare, seconds, onLatency }: LatencyOptions,
): Promise<Latency[]> {
  const script = new URL('./threads-rank.js', import.meta.url);
  const contestants: Contestant[] = [startThreads(THREADS, script, ranks)];
  const latencies: Latency[] = [];
  try {
    for (const family of compare ? MPI_FAMILIES : []) {
      const world = await startMpi(family, ranks, SUMS);
      if (world !== null) contestants.push(world);
    }
    for (const channels of CHANNELS) {
      // Exact: the check's summands are halves.
      const scores = await play(contestants, { count: 2 * channels + 1 }, seconds, 0);
      const rivals = contestants.slice(1).map(({ name }) => {
        const time = (work: string) => timeOf(scores, name, work);
        return { name, mpi: time('mpi'), syncbn: time('syncbn') };
      });
      const threads = timeOf(scores, THREADS, 'threads');
      latencies.push({ ranks, channels, threads, rivals });
      onLatency(latencies[latencies.length - 1]);
    }
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.close()));
  }
  return latencies;
}

function timeOf(scores: readonly Score[], name: string, work: string): Spread {
  return scores.find((score) => score.name === name && score.work === work)!.time;
}
