/**
 * The demo: one network, trained three times from the same weights and in the same data order, on
 * one rank and on several, synchronized and not. `npm run demo -- --help` lists the options.
 *
 * It runs on four threads of its own; where mpirun, mpiexec, srun or syncrun has started it, on the
 * ranks that are there.
 */

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { getGroupSize, getRank, init } from 'syncbn';
import { DataError, type DigitSets } from './dataset.js';
import { type Options, parseOptions } from './options.js';
import {
  plansFor,
  type RunPlan,
  reproduciblePlans,
  SPEED_BATCH,
  SPEED_STEPS,
  speedPlans,
} from './plans.js';
import { lastLosses, type Run } from './run.js';
import type { TrainSettings } from './train.js';

/** Ranks where nobody has started any. */
const THREADS = 4;

async function loadDigits({ data, seed, digits }: Options): Promise<DigitSets> {
  if (data !== undefined) {
    const { readIdxDirectory } = await import('./idx.js');
    return readIdxDirectory(data);
  }
  const { drawDigits } = await import('./draw.js');
  const { splitDigits } = await import('./dataset.js');
  // A seed of their own: the weights and the data order come from the numbers of `seed`.
  return splitDigits(drawDigits(digits, seed + 1));
}

function settingsOf(
  { ranks, synchronized }: RunPlan,
  { steps, seed, learningRate, batchSize, reproducible }: Options,
  digits: DigitSets,
): TrainSettings {
  return {
    ...{ digits, ranks, synchronized, steps, seed, learningRate, batchSize, reproducible },
    measureEvery: Math.max(1, Math.ceil(steps / 9)),
  };
}

/** The same network with a larger batch and few steps. */
function speedSettingsOf(plan: RunPlan, options: Options, digits: DigitSets): TrainSettings {
  const settings = settingsOf(plan, options, digits);
  const steps = Math.min(SPEED_STEPS, options.steps);
  return { ...settings, batchSize: SPEED_BATCH, steps, measureEvery: null };
}

async function report(
  options: Options,
  runs: readonly Run[],
  speeds: readonly Run[],
  digits: DigitSets,
): Promise<void> {
  const { formatTable } = await import('./table.js');
  console.log(formatTable(runs));
  if (options.reproducible) console.log(lastLosses(runs));
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify({ runs, speeds }));
  if (options.chart !== undefined) {
    const { accuracyPicture } = await import('./pictures.js');
    writeFileSync(options.chart, accuracyPicture(runs));
  }
  const { writeReport } = await import('./report.js');
  writeReport(options.report, runs, speeds, {
    data: options.data === undefined ? 'drawn digits' : 'IDX files',
    'training samples': digits.train.count,
    'test samples': digits.test.count,
    'batch size': options.batchSize,
    'learning rate': options.learningRate,
    seed: options.seed,
  });
  console.log(`The curves are in ${resolve(options.report)}`);
}

async function demo(options: Options): Promise<void> {
  await init();
  const launched = getGroupSize() > 1;
  const { reproducible, batchSize, only } = options;
  const size = launched ? getGroupSize() : THREADS;
  const plans = reproducible ? reproduciblePlans(size, batchSize) : plansFor(size, batchSize, only);
  const digits = await loadDigits(options);
  const runs = await trainAll(plans, launched, (plan) => settingsOf(plan, options, digits));
  const most = launched ? getGroupSize() : availableParallelism();
  const speeds = await trainAll(
    reproducible || only !== undefined ? [] : speedPlans(most),
    launched,
    (plan) => speedSettingsOf(plan, options, digits),
  );
  if (getRank() === 0) await report(options, runs, speeds, digits);
}

/** @returns the runs on rank 0, nothing on the others */
async function trainAll(
  plans: readonly RunPlan[],
  launched: boolean,
  settings: (plan: RunPlan) => TrainSettings,
): Promise<Run[]> {
  const { trainHere, trainOnThreads } = await import('./runs.js');
  const runs: Run[] = [];
  for (const plan of plans) {
    const run = await (launched ? trainHere : trainOnThreads)(plan, settings(plan));
    if (run !== null) runs.push(run);
  }
  return runs;
}

try {
  await demo(parseOptions());
} catch (error) {
  // Files that cannot be read are the user's matter; anything else is a bug, with its stack.
  if (!(error instanceof DataError)) throw error;
  console.error(`demo: ${error.message}`);
  process.exitCode = 1;
}
