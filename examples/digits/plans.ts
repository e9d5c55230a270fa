/** Which runs the demo compares. */

import { DataError } from './dataset.js';

/** What `--only` calls the runs. */
export const RUN_KEYS = ['one', 'synchronized', 'alone'] as const;
export type RunKey = (typeof RUN_KEYS)[number];

/** One of the demo's runs. */
export interface RunPlan {
  readonly key: RunKey;
  readonly name: string;
  readonly ranks: number;
  /** Whether statistics are those of all ranks, or of each alone. */
  readonly synchronized: boolean;
}

/**
 * The runs on a world of `ranks`; the first is what the others are compared with.
 * @param batchSize samples of one step over all ranks
 * @param only default: all
 * @throws DataError when the batch cannot be dealt out to the ranks evenly
 */
export function plansFor(ranks: number, batchSize: number, only?: RunKey): RunPlan[] {
  if (batchSize % ranks !== 0) {
    throw new DataError(
      `a batch of ${batchSize} samples cannot be dealt out to ${ranks} ranks evenly`,
    );
  }
  if (batchSize === ranks && ranks > 1 && (only ?? 'alone') === 'alone') {
    throw new DataError(
      `a rank that normalises alone needs two samples or more: set --batch-size to ${2 * ranks} ` +
        'or a multiple of it, or --only to another run',
    );
  }
  const plans: RunPlan[] = [
    { key: 'one', name: 'one rank', ranks: 1, synchronized: true },
    { key: 'synchronized', name: `${ranks} ranks, synchronized`, ranks, synchronized: true },
    { key: 'alone', name: `${ranks} ranks, each alone`, ranks, synchronized: false },
  ];
  return plans.filter(({ key }) => only === undefined || key === only);
}

/** The runs of `--reproducible`, on 1, 2 and 4 ranks, as far as `most` ranks and samples go. */
export function reproduciblePlans(most: number, batchSize: number): RunPlan[] {
  return [1, 2, 4]
    .filter((ranks) => ranks <= Math.min(most, batchSize))
    .map((ranks) => ({
      key: 'synchronized',
      name: `${ranks} ${ranks === 1 ? 'rank' : 'ranks'}, reproducible`,
      ranks,
      synchronized: true,
    }));
}

/** Samples of one step in the runs that measure speed: enough for a rank to be busy with them. */
export const SPEED_BATCH = 64;

/** Steps of such a run: enough for a median. */
export const SPEED_STEPS = 25;

/** The runs that measure speed on 1, 2, 4, ... ranks, as far as `most` ranks go. */
export function speedPlans(most: number): RunPlan[] {
  return [1, 2, 4, 8, 16]
    .filter((ranks) => ranks <= most)
    .map((ranks) => ({
      key: 'synchronized',
      name: `speed of ${ranks} ${ranks === 1 ? 'rank' : 'ranks'}`,
      ranks,
      synchronized: true,
    }));
}
