/** What a training run leaves behind, and the figures that the table and the report show of it. */

/** One training run, as recorded while it ran. */
export interface Run {
  readonly name: string;
  readonly ranks: number;
  readonly samplesPerRank: number;
  /** Mean loss over the whole batch (all ranks), at each step. */
  readonly losses: readonly number[];
  /** Share of the test digits that were right, 0 to 1, after `step` steps. */
  readonly accuracies: readonly { readonly step: number; readonly accuracy: number }[];
  /** Wall time of the training, its start and the measurements of the accuracy included. */
  readonly seconds: number;
  /** Median time of a step, in seconds, without the steps that measure the accuracy. */
  readonly stepSeconds: number;
}

/** Steps that the final loss is the mean of: the loss of one small batch says little. */
export const FINAL_STEPS = 50;

/** Steps of the first of the two largest differences: before rounding has had time to grow. */
export const EARLY_STEPS = 100;

/** Heads of the columns of {@link summaryRow}. */
export const SUMMARY_HEADS = [
  'run',
  'ranks × samples',
  'steps',
  'seconds',
  'samples a second',
  `final loss (mean of last ${FINAL_STEPS} steps)`,
  'test accuracy',
  `largest relative difference of the loss, first ${EARLY_STEPS} steps`,
  'largest relative difference of the loss, all steps',
] as const;

/** |loss - loss of `reference`| / loss of `reference` at each step that both runs took. */
export function lossDifferences(run: Run, reference: Run): number[] {
  const steps = Math.min(run.losses.length, reference.losses.length);
  return Array.from({ length: steps }, (_, step) => {
    const [loss, base] = [run.losses[step], reference.losses[step]];
    return loss === base ? 0 : Math.abs(loss - base) / Math.abs(base);
  });
}

/**
 * The largest of {@link lossDifferences} over the first `steps` steps; NaN where a loss is.
 * @param steps default: all
 */
export function largestDifference(run: Run, reference: Run, steps?: number): number {
  return lossDifferences(run, reference)
    .slice(0, steps)
    .reduce((largest, difference) => Math.max(largest, difference), 0);
}

/** Mean loss of the last {@link FINAL_STEPS} steps, or of all if there are fewer; NaN if none. */
export function finalLoss(run: Run): number {
  const last = run.losses.slice(-FINAL_STEPS);
  return last.reduce((sum, loss) => sum + loss, 0) / last.length;
}

/** Samples of all ranks in a second, at the median speed of a step. */
export function samplesPerSecond({ ranks, samplesPerRank, stepSeconds }: Run): number {
  return (ranks * samplesPerRank) / stepSeconds;
}

/** The figures of `run` as text, one for each of {@link SUMMARY_HEADS}. */
export function summaryRow(run: Run, reference: Run): string[] {
  const accuracy = run.accuracies.at(-1)?.accuracy;
  const difference = (steps?: number) =>
    run === reference ? '-' : formatDifference(largestDifference(run, reference, steps));
  return [
    run.name,
    `${run.ranks} × ${run.samplesPerRank}`,
    String(run.losses.length),
    run.seconds.toFixed(1),
    Number.isFinite(samplesPerSecond(run)) ? samplesPerSecond(run).toFixed(0) : '-',
    finalLoss(run).toFixed(4),
    accuracy === undefined ? '-' : `${(100 * accuracy).toFixed(1)} %`,
    difference(EARLY_STEPS),
    difference(),
  ];
}

function formatDifference(difference: number): string {
  if (difference === 0) return '0';
  return difference < 1e-3
    ? difference.toExponential(1)
    : String(Number(difference.toPrecision(2)));
}

/** The loss of the last step of each run, with all its digits, and whether they are the same. */
export function lastLosses(runs: readonly Run[]): string {
  const losses = runs.map(({ losses: all }) => all.at(-1) ?? Number.NaN);
  const lines = runs.map(({ name }, i) => `${name}: last loss ${losses[i]}`);
  const isSame = losses.every((loss) => Object.is(loss, losses[0]));
  return [...lines, isSame ? 'the same to the last bit' : 'NOT the same'].join('\n');
}
