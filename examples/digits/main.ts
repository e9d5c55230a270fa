/**
 * The demo: one network, trained three times from the same weights and in the same data order, on
 * one rank and on several, synchronized and not. `npm run demo -- --help` lists the options.
 *
 * It runs on four threads of its own; where mpirun, mpiexec, srun or syncrun has started it, on the
 * ranks that are there.
 */

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { getGroupSize, getRank, init } from 'syncbn';
import { DataError, type DigitSets } from './dataset.js';
import { type Options, parseOptions } from './options.js';
import { BATCH, plansFor, type RunPlan } from './plans.js';
import type { Run } from './run.js';
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
  return splitDigits(drawDigits(digits, seed));
}

function settingsOf(
  { ranks, synchronized }: RunPlan,
  { steps, seed, learningRate }: Options,
  digits: DigitSets,
): TrainSettings {
  return {
    ...{ digits, ranks, synchronized, steps, seed, learningRate },
    batchSize: BATCH,
    measureEvery: Math.max(1, Math.ceil(steps / 9)),
  };
}

async function report(options: Options, runs: readonly Run[], digits: DigitSets): Promise<void> {
  const { formatTable } = await import('./table.js');
  console.log(formatTable(runs));
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(runs));
  const { writeReport } = await import('./report.js');
  writeReport(options.report, runs, {
    data: options.data === undefined ? 'drawn digits' : 'IDX files',
    'training samples': digits.train.count,
    'test samples': digits.test.count,
    'batch size': BATCH,
    'learning rate': options.learningRate,
    seed: options.seed,
  });
  console.log(`The curves are in ${resolve(options.report)}`);
}

async function demo(options: Options): Promise<void> {
  await init();
  const launched = getGroupSize() > 1;
  const plans = plansFor(launched ? getGroupSize() : THREADS, options.only);
  const digits = await loadDigits(options);
  const { trainHere, trainOnThreads } = await import('./runs.js');
  const runs: Run[] = [];
  for (const plan of plans) {
    const train = launched ? trainHere : trainOnThreads;
    const run = await train(plan, settingsOf(plan, options, digits));
    if (run !== null) runs.push(run);
  }
  if (getRank() === 0) await report(options, runs, digits);
}

try {
  await demo(parseOptions());
} catch (error) {
  // Files that cannot be read are the user's matter; anything else is a bug, with its stack.
  if (!(error instanceof DataError)) throw error;
  console.error(`demo: ${error.message}`);
  process.exitCode = 1;
}
