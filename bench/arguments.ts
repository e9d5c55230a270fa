/** The command line of `npm run bench`. */

import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SHAPE_NAMES, type ShapeName } from './shapes.js';
import { VARIANT_PARTS } from './variants/variants.js';

export const PARTS = [
  ...(['layers', 'floors', 'all-reduce', 'gradients', 'peers', 'tfjs', 'scaling'] as const),
  ...VARIANT_PARTS,
] as const;
export type Part = (typeof PARTS)[number];

/** Without networks of frameworks and other ways to run a layer, which take minutes. */
const USUAL_PARTS = PARTS.slice(0, PARTS.indexOf('tfjs'));

export interface Arguments {
  readonly shapes: readonly ShapeName[];
  /** Sizes of the worlds. */
  readonly ranks: readonly number[];
  readonly dtype: 'float32' | 'float64';
  readonly relaxed: boolean;
  /** Seconds for each shape and layout, or work of a contestant. */
  readonly seconds: number;
  readonly mean: number;
  readonly compare: boolean;
  readonly python: string | undefined;
  readonly parts: readonly Part[];
  readonly json: boolean;
  /** Folder of the page and the pictures; null: none. */
  readonly save: string | null;
}

/** Ends the process with help or a message where the words are not understood. */
export function readArguments(words: readonly string[]): Arguments {
  const command = new Command('npm run bench --')
    .description(
      'Measures forward and backward against copy and triad in the same memory, all-reduces, averages ' +
        'of gradients, ' +
        'networks of TensorFlow.js and jax-js on more and more ranks, and other ways to run the ' +
        'layers against the plain one (tail, halves, masks, reproducible, foreign); ' +
        'where there is a C compiler, also what two passes cost in C. ' +
        'Every result is checked against float64 before it is timed.',
    )
    .addOption(
      option(
        '--shapes <list>',
        'of bench/shapes.ts, commas or none between',
        shapesOf,
        SHAPE_NAMES,
      ),
    )
    .addOption(option('--ranks <list>', 'sizes of the worlds of threads', ranksOf, defaultRanks()))
    .addOption(new Option('--dtype <type>').choices(['float32', 'float64']).default('float32'))
    .option('--relaxed', 'the build with relaxed SIMD, where the engine hides it', false)
    .addOption(option('--seconds <number>', 'for each shape and layout', positive, 1))
    .addOption(option('--mean <number>', 'of the inputs, in standard deviations', number, 0.5))
    .option('--compare', 'in turns with jax-js, TensorFlow.js, PyTorch and MPI, in float32', false)
    .option('--python <path>', 'a Python that has PyTorch (default: the one on the PATH)')
    .addOption(option('--parts <list>', `of ${PARTS.join(', ')}`, partsOf, USUAL_PARTS))
    .option('--json', 'one JSON document on the standard output instead of tables', false)
    .option('--save [folder]', 'write a page with pictures (default folder: bench/results)');
  const { save, python, ...rest } = command.parse(words, { from: 'user' }).opts();
  return { ...rest, python, save: folderOf(save) } as Arguments;
}

function option<T>(flags: string, text: string, parse: (text: string) => T, value: T): Option {
  return new Option(flags, text)
    .argParser(parse)
    .default(value, Array.isArray(value) ? value.join(',') : String(value));
}

/** Powers of two up to the cores; two in any case, which the goals are for. */
function defaultRanks(): readonly number[] {
  const sizes = [1, 2];
  while (2 * sizes[sizes.length - 1] <= availableParallelism()) {
    sizes.push(2 * sizes[sizes.length - 1]);
  }
  return sizes;
}

function shapesOf(text: string): readonly ShapeName[] {
  const names = [...text.replaceAll(',', '')];
  const unknown = names.find((name) => !SHAPE_NAMES.includes(name as ShapeName));
  if (unknown !== undefined || names.length === 0) {
    throw new InvalidArgumentError(`Shapes are ${SHAPE_NAMES.join(',')}.`);
  }
  return names as ShapeName[];
}

function ranksOf(text: string): readonly number[] {
  const sizes = text.split(',').map(Number);
  if (!sizes.every((size) => Number.isInteger(size) && size >= 1)) {
    throw new InvalidArgumentError('Expected integers of 1 or more, with commas between.');
  }
  return sizes;
}

function partsOf(text: string): readonly Part[] {
  const parts = text.split(',');
  if (!parts.every((part): part is Part => PARTS.includes(part as Part))) {
    throw new InvalidArgumentError(`Parts are ${PARTS.join(', ')}.`);
  }
  return parts;
}

function number(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
}

function positive(text: string): number {
  const value = number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

function folderOf(save: string | boolean | undefined): string | null {
  if (save === undefined || save === false) return null;
  return save === true ? 'bench/results' : (save as string);
}
