/** Times of all-reduces over all ranks, and of each rank's own work. */

import type { ProcessGroup } from '../group/process-group.js';
import { type Facts, ranksOf } from './facts.js';

const LENGTHS = [1, 129, 2049, 100_000];
/** Milliseconds that each length is measured for, and least repetitions. */
const BUDGET_MS = 200;
const LEAST = 5;
/** A rank whose own work takes this many times the median is called slow. */
const SLOW = 1.5;

export interface Row {
  readonly length: number;
  /** Median of a call, in microseconds. */
  readonly microseconds: number;
  /** Bytes that each rank gave in a second, in MB. */
  readonly megabytes: number;
}

/** Measures as many calls on every rank as rank 0 finds to fit. */
export function measure(world: ProcessGroup): Row[] {
  return LENGTHS.map((length) => {
    const data = new Float64Array(length);
    const once = timed(() => void world.allReduce(data).wait());
    const calls = world.broadcast(Float64Array.of(BUDGET_MS / Math.max(once, 1e-3))).wait()[0];
    const times = Array.from({ length: Math.max(LEAST, Math.min(10_000, Math.ceil(calls))) }, () =>
      timed(() => void world.allReduce(data).wait()),
    );
    const milliseconds = median(times);
    const megabytes = (8 * length) / 1000 / milliseconds;
    return { length, microseconds: 1000 * milliseconds, megabytes };
  });
}

/** Returns lines about ranks that are slower than the other ranks at the same work. */
export function slowRanks(world: ProcessGroup, facts: readonly Facts[]): string[] {
  world.barrier().wait();
  const own = Math.min(...Array.from({ length: 7 }, () => timed(work)));
  const all = world.allGather(Float64Array.of(own)).wait();
  const typical = median([...all]);
  return [...all.keys()]
    .filter((rank) => all[rank] > SLOW * typical)
    .map((rank) => {
      const times = (all[rank] / typical).toFixed(1);
      return `${ranksOf([rank], facts)} is slow: its own work takes ${times} times the median`;
    });
}

function work(): void {
  let sum = 0;
  for (let i = 0; i < 2_000_000; i++) sum += Math.sqrt(i);
  if (Number.isNaN(sum)) throw new Error('no sum');
}

function timed(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

/** The lower one of two in the middle: of two ranks, the slower is compared with the faster. */
function median(times: number[]): number {
  return times.sort((a, b) => a - b)[(times.length - 1) >> 1];
}
