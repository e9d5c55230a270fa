/** Tables of all-reduces. */

import type { Latency } from '../collectives/measure.js';
import { digits, grouped, type Rows, ranksText, spreadText, verdict } from './table.js';

/** Threads shall be this many times as fast as Open MPI called from C. */
const THREADS_GOAL = 1.4;
/** Most times MPI's own time that this package may take over it, by channels, of medians. */
const BINDING_GOALS: Readonly<Record<number, number>> = { 64: 1.6, 1024: 1.1, 2048: 1.1 };

/** For each number of ranks a table of threads, and two for each MPI library. */
export function latencyTables(latencies: readonly Latency[]): Rows[] {
  return grouped(latencies, ({ ranks }) => String(ranks)).flatMap((group) => [
    threadTable(group),
    ...group[0].rivals.flatMap((_, rival) => [rivalTable(group, rival), overTable(group, rival)]),
  ]);
}

function threadTable(group: readonly Latency[]): Rows {
  return {
    title: `All-reduce over threads, ${ranksText(group[0].ranks)}`,
    legend: 'Of 2C + 1 float64, what a layer of C channels sends forward.',
    head: ['C', 'float64', 'least µs', 'median µs'],
    rows: group.map(({ channels, threads }) => [
      ...[String(channels), String(2 * channels + 1)],
      ...[digits(threads.min), spreadText(threads)],
    ]),
  };
}

function rivalTable(group: readonly Latency[], rival: number): Rows {
  const { name } = group[0].rivals[rival];
  return {
    title: `All-reduce over threads and by ${name}, ${ranksText(group[0].ranks)}`,
    legend: `Faster: how many times as fast threads are, of least times, and of medians.${caveat(name)}`,
    head: [
      ...['C', 'threads least µs', 'median µs', 'MPI least µs', 'median µs'],
      ...['faster', 'of medians', 'goal'],
    ],
    rows: group.map(({ channels, threads, rivals }) => {
      const { mpi } = rivals[rival];
      const faster = mpi.min / threads.min;
      const goal = name.startsWith('Open MPI') && isFromC(name) ? `>= ${THREADS_GOAL}` : null;
      return [
        ...[String(channels), digits(threads.min), spreadText(threads)],
        ...[digits(mpi.min), spreadText(mpi), digits(faster)],
        ...[digits(mpi.median / threads.median), verdict(goal, faster >= THREADS_GOAL)],
      ];
    }),
  };
}

function overTable(group: readonly Latency[], rival: number): Rows {
  const { name } = group[0].rivals[rival];
  return {
    title: `All-reduce of syncbn between processes and by ${name}, ${ranksText(group[0].ranks)}`,
    legend: `In the same processes, over the same library. Ratio: syncbn’s time over MPI’s; the goals are of medians.${caveat(name)}`,
    head: [
      ...['C', 'syncbn least µs', 'median µs', 'MPI least µs', 'median µs'],
      ...['ratio', 'of medians', 'goal'],
    ],
    rows: group.map(({ channels, rivals }) => {
      const { mpi, syncbn } = rivals[rival];
      const ratio = syncbn.median / mpi.median;
      const most = isFromC(name) ? BINDING_GOALS[channels] : undefined;
      return [
        ...[String(channels), digits(syncbn.min), spreadText(syncbn)],
        ...[digits(mpi.min), spreadText(mpi), digits(syncbn.min / mpi.min), digits(ratio)],
        verdict(most === undefined ? null : `<= ${most}`, ratio <= (most ?? 0)),
      ];
    }),
  };
}

/** Goals are against C alone. */
function isFromC(name: string): boolean {
  return name.endsWith('from C');
}

function caveat(name: string): string {
  return isFromC(name) ? '' : ' No compiler was found: MPI’s times have those of koffi in them.';
}
