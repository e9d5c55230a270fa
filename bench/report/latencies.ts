/** Tables of all-reduces. */

import type { Latency } from '../collectives/measure.js';
import { digits, grouped, type Rows, ranksText, spreadText, verdict } from './table.js';

/** Threads shall be this many times as fast as Open MPI called from C. */
const THREADS_GOAL = 1.4;
/** Most times MPI's own time that this package may take over it, by channels. */
const BINDING_GOALS: Readonly<Record<number, number>> = { 64: 1.6, 1024: 1.1, 2048: 1.1 };

/** One table of threads for each number of ranks, and one for each MPI library. */
export function latencyTables(latencies: readonly Latency[]): Rows[] {
  return grouped(latencies, ({ ranks }) => String(ranks)).flatMap((group) => [
    threadTable(group),
    ...group[0].rivals.map((_, rival) => rivalTable(group, rival)),
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
    title: `All-reduce, threads and ${name}, ${ranksText(group[0].ranks)}`,
    legend:
      'Medians, in microseconds, with 10th and 90th percentile. Threads: times as fast as MPI. ' +
      'Over MPI: syncbn between the same processes; its ratio is to MPI alone.' +
      (name.endsWith('koffi') ? ' Calls of MPI include those of koffi: no compiler is here.' : ''),
    head: [
      ...['C', 'threads', 'MPI', 'threads faster', 'goal'],
      ...['syncbn over MPI', 'over MPI / MPI', 'goal over MPI'],
    ],
    rows: group.map((latency) => rivalRow(latency, rival)),
  };
}

function rivalRow({ channels, threads, rivals }: Latency, rival: number): string[] {
  const { name, mpi, syncbn } = rivals[rival];
  const fromC = name.endsWith('C');
  const [faster, slower] = [mpi.median / threads.median, syncbn.median / mpi.median];
  const judged = fromC && name.startsWith('Open MPI');
  const most = fromC ? BINDING_GOALS[channels] : undefined;
  return [
    ...[String(channels), spreadText(threads), spreadText(mpi), digits(faster)],
    verdict(judged ? `>= ${THREADS_GOAL}` : null, faster >= THREADS_GOAL),
    ...[spreadText(syncbn), digits(slower)],
    verdict(most === undefined ? null : `<= ${most}`, slower <= (most ?? 0)),
  ];
}
