/** Lets contestants measure the same task in turns, so that all see the same state of the machine. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Spread, spreadOf } from '../statistics.js';
import type { Contestant } from './contestant.js';

/** One work of one contestant. */
export interface Score {
  readonly name: string;
  readonly work: string;
  /** To the float64 reference. */
  readonly error: number;
  readonly time: Spread;
}

interface Entry {
  readonly contestant: Contestant;
  readonly work: string;
  readonly error: number;
  calls: number;
  samples: number;
  readonly times: number[];
}

const ROUNDS = 10;
/** Calls, at least, and seconds, at least, before the first sample. */
const WARM_UP = { calls: 25, seconds: 0.05 };
/** A sample takes at least this long: far above what the clock resolves. */
const SAMPLE_MICROS = 100;
/** OpenMP's threads spin some milliseconds after their work; the next contestant waits for that. */
const PAUSE_MILLISECONDS = 10;

/**
 * Every contestant prepares the task, then measures each of its works in turn.
 * @param seconds for each work of each contestant, warm-up excluded
 * @param tell hears who is right, who is warm, and each round
 * @throws Error where a result is further than `tolerance` from the reference
 */
export async function play(
  contestants: readonly Contestant[],
  task: unknown,
  seconds: number,
  tolerance: number,
  tell: (text: string) => void = () => {},
): Promise<Score[]> {
  const entries: Entry[] = [];
  // One after the other: some make gigabytes of references.
  for (const contestant of contestants) {
    for (const [work, error] of Object.entries(await contestant.prepare(task))) {
      if (!(error <= tolerance)) {
        throw new Error(`${contestant.name}: ${work} is ${error} from the reference`);
      }
      entries.push({ contestant, work, error, calls: 1, samples: 1, times: [] });
    }
    tell(`${contestant.name}: right`);
  }
  for (const entry of entries) {
    await warmUp(entry, seconds);
    tell(`${entry.contestant.name}, ${entry.work}: warm`);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const entry of entries) {
      await sleep(PAUSE_MILLISECONDS);
      const { contestant, work, calls, samples } = entry;
      entry.times.push(...(await contestant.turn(work, calls, samples)));
    }
    tell(`round ${round + 1} of ${ROUNDS}`);
  }
  return entries.map(({ contestant: { name }, work, error, times }) => {
    return { name, work, error, time: spreadOf(times) };
  });
}

async function warmUp(entry: Entry, seconds: number): Promise<void> {
  const { contestant, work } = entry;
  const { min } = spreadOf(await contestant.turn(work, 1, WARM_UP.calls));
  const more = Math.min(10_000, Math.floor((WARM_UP.seconds * 1e6) / min) - WARM_UP.calls);
  const warm = more > 0 ? spreadOf(await contestant.turn(work, more, 1)).min : min;
  entry.calls = Math.ceil(SAMPLE_MICROS / warm);
  const share = (seconds * 1e6) / ROUNDS / (warm * entry.calls);
  entry.samples = Math.min(300, Math.max(2, Math.round(share)));
}
