/** The demo's command line. */

import { Command, InvalidArgumentError, Option } from 'commander';
import { RUN_KEYS, type RunKey } from './plans.js';

/** What the user may set; see `--help`. */
export interface Options {
  data?: string;
  digits: number;
  steps: number;
  seed: number;
  learningRate: number;
  batchSize: number;
  only?: RunKey;
  reproducible: boolean;
  report: string;
  json?: string;
  chart?: string;
}

/** What exact sums cost, measured: docs/experiments.md. */
const SLOWER = '3 times';

/** The options of this process; ends it for `--help` and for what cannot be understood. */
export function parseOptions(): Options {
  const option = (flags: string, text: string) => new Option(flags, text);
  return new Command('npm run demo --')
    .description('Train on handwritten digits, with and without synchronized batch normalization.')
    .option('--data <dir>', "folder with MNIST's IDX files (default: digits are drawn)")
    .addOption(option('--digits <n>', 'digits to draw').argParser(integer(10)).default(10_000))
    .addOption(option('--steps <n>', 'steps of each run').argParser(integer(1)).default(1125))
    .addOption(option('--seed <n>', 'of weights and data order').argParser(integer(0)).default(1))
    .addOption(option('--learning-rate <x>', 'at its highest').argParser(positive).default(0.005))
    .addOption(option('--batch-size <n>', 'samples a step').argParser(integer(1)).default(8))
    .addOption(option('--only <run>', 'a single run (default: all)').choices(RUN_KEYS))
    .option(
      '--reproducible',
      `the same bits on 1, 2 and 4 ranks: exact sums over samples, ${SLOWER} as slow`,
      false,
    )
    .option('--report <file>', 'page to write', 'report.html')
    .option('--json <file>', 'file for every loss and accuracy')
    .option('--chart <file>', 'SVG file for the accuracies')
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
