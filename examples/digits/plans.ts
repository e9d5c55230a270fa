/** Which runs the demo compares. */

import { DataError } from './dataset.js';

/** Samples of one step over all ranks. */
export const BATCH = 8;

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
 * @param only default: all
 * @throws DataError when the batch cannot be dealt out to the ranks evenly
 */
export function plansFor(ranks: number, only?: RunKey): RunPlan[] {
  if (BATCH % ranks !== 0) {
    throw new DataError(`a batch of ${BATCH} samples cannot be dealt out to ${ranks} ranks evenly`);
  }
  const plans: RunPlan[] = [
    { key: 'one', name: 'one rank', ranks: 1, synchronized: true },
    { key: 'synchronized', name: `${ranks} ranks, synchronized`, ranks, synchronized: true },
    { key: 'alone', name: `${ranks} ranks, each alone`, ranks, synchronized: false },
  ];
  return plans.filter(({ key }) => only === undefined || key === only);
}
