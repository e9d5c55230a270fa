/** Made-up runs for the tests of the table and the report. */

import type { Run } from '../../examples/digits/run.js';

/** A run with these losses; the rest as of four ranks with two samples each. */
export function runOf(name: string, losses: readonly number[], rest: Partial<Run> = {}): Run {
  return {
    name,
    ranks: 4,
    samplesPerRank: 2,
    losses,
    accuracies: [
      { step: 0, accuracy: 0.1 },
      { step: losses.length, accuracy: 0.9625 },
    ],
    seconds: 12.34,
    stepSeconds: 0.01,
    ...rest,
  };
}

/** Losses falling from 2.3 towards 0.1, larger by the share `more` from step 150 on. */
export function fallingLosses(steps: number, more = 0): number[] {
  return Array.from(
    { length: steps },
    (_, step) => (0.1 + 2.2 * 0.98 ** step) * (step < 150 ? 1 : 1 + more),
  );
}

/** The three runs of the demo: the second leaves the first by a share of 1e-5 after 150 steps. */
export const THREE_RUNS: readonly Run[] = [
  runOf('one rank', fallingLosses(200), { ranks: 1, samplesPerRank: 8 }),
  runOf('4 ranks, synchronized', fallingLosses(200, 1e-5)),
  runOf(
    '4 ranks, each alone',
    fallingLosses(200).map((loss) => 1.5 * loss),
  ),
];

/** Runs that measured speed, the second 1.7 times as fast. */
export const TWO_SPEEDS: readonly Run[] = [
  runOf('speed of 1 rank', [1], { ranks: 1, samplesPerRank: 64, stepSeconds: 0.1 }),
  runOf('speed of 2 ranks', [1], { ranks: 2, samplesPerRank: 32, stepSeconds: 0.1 / 1.7 }),
];
