/**
 * The demo: one network, trained three times from the same weights and in the same data order, on
 * one rank and on four, synchronized and not. `npm run demo -- --help` lists the options.
 */

import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { launch } from 'syncbn/launch';
import { DataError, type DigitSets } from './dataset.js';
import { startProgress } from './progress.js';
import type { Run } from './run.js';
import type { StepMessage, TrainSettings } from './train.js';

const BATCH = 8;
const RANKS = 4;

interface Options {
  data?: string;
  steps: number;
  seed: number;
  learningRate: number;
  report: string;
}

const RUNS = [
  { name: 'one rank', ranks: 1, synchronized: true },
  { name: `${RANKS} ranks, synchronized`, ranks: RANKS, synchronized: true },
  { name: `${RANKS} ranks, each alone`, ranks: RANKS, synchronized: false },
] as const;

function parseOptions(): Options {
  return new Command('npm run demo --')
    .description('Train on handwritten digits, with and without synchronized batch normalization.')
    .option('--data <dir>', "folder with MNIST's IDX files (default: digits are drawn)")
    .addOption(new Option('--steps <n>', 'steps of each run').argParser(integer(1)).default(1125))
    .addOption(
      new Option('--seed <n>', 'of weights and data order').argParser(integer(0)).default(1),
    )
    .addOption(
      new Option('--learning-rate <x>', 'at its highest').argParser(positive).default(0.005),
    )
    .option('--report <file>', 'page to write', 'report.html')
    .parse()
    .opts<Options>();
}

function integer(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`It must be an integer of ${least} or more.`);
    }
    return value;
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
    throw new InvalidArgumentError('It must be a number above 0.');
  }
  return value;
}

async function loadDigits({ data, seed }: Options): Promise<DigitSets> {
  if (data !== undefined) {
    const { readIdxDirectory } = await import('./idx.js');
    return readIdxDirectory(data);
  }
  const { drawDigits } = await import('./draw.js');
  const { splitDigits } = await import('./dataset.js');
  return splitDigits(drawDigits(10_000, seed));
}

async function train(
  { name, ranks, synchronized }: (typeof RUNS)[number],
  digits: DigitSets,
  { steps, seed, learningRate }: Options,
): Promise<Run> {
  const losses: number[] = [];
  const accuracies: Run['accuracies'][number][] = [];
  const progress = startProgress(name, steps);
  const data: TrainSettings = {
    ...{ digits, batchSize: BATCH, steps, seed, learningRate, synchronized },
    measureEvery: Math.max(1, Math.ceil(steps / 9)),
  };
  const started = performance.now();
  const world = launch(new URL('./train.ts', import.meta.url), {
    workerNum: ranks,
    data,
    onMessage(message) {
      const { step, loss, accuracy } = message as StepMessage;
      losses.push(loss);
      if (accuracy !== undefined) accuracies.push({ step, accuracy });
      progress.update(step, { loss });
    },
  });
  try {
    await world.done;
  } finally {
    progress.stop();
  }
  const seconds = (performance.now() - started) / 1000;
  return { name, ranks, samplesPerRank: BATCH / ranks, losses, accuracies, seconds };
}

async function demo(options: Options): Promise<void> {
  const digits = await loadDigits(options);
  const runs: Run[] = [];
  for (const run of RUNS) runs.push(await train(run, digits, options));
  const { formatTable } = await import('./table.js');
  console.log(formatTable(runs));
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

try {
  await demo(parseOptions());
} catch (error) {
  // Files that cannot be read are the user's matter; anything else is a bug, with its stack.
  if (!(error instanceof DataError)) throw error;
  console.error(`demo: ${error.message}`);
  process.exitCode = 1;
}
