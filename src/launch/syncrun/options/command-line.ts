/**
 * Reads the command line of `syncrun`: options in both spellings up to the script, and the script's
 * arguments untouched. The meaning of the values is the business of `settings.ts`.
 */

import { parseArgs } from 'node:util';
import { suggestion } from '../../../core/nearest.js';
import { type Given, isFlag, OPTION_NAMES, OPTIONS, type OptionName } from './table.js';

/** The user's request: information, or a run with the options that were given, as texts. */
export type CommandLine =
  | { readonly kind: 'help' | 'version' }
  | { readonly kind: 'analyze'; readonly files: string[] }
  | {
      readonly kind: 'run';
      readonly given: Given;
      readonly script: string;
      readonly args: string[];
    };

const FLAG_VALUE = /^(true|false|0|1)$/i;

/** @throws RangeError for an unknown option, one without its value, and a missing script */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const tokens = tokensOf(argv);
  const given: Given = {};
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      return { kind: 'run', given, script: token.value, args: argv.slice(token.index + 1) };
    }
    if (token.name === 'help' || token.name === 'version') return { kind: token.name };
    if (token.name === 'analyze') return { kind: 'analyze', files: argv.slice(token.index + 1) };
    const name = knownName(token.name, token.rawName);
    // `--join False`: the parser takes a word after a flag for the script.
    const next = isFlag(name) && token.value === undefined ? tokens[at + 1] : undefined;
    const separate = next?.kind === 'positional' && FLAG_VALUE.test(next.value);
    if (separate) at++;
    given[name] = separate ? next.value : (token.value ?? loneValue(name));
  }
  if (given.check !== undefined || given.status !== undefined)
    return { kind: 'run', given, script: '', args: [] };
  throw new RangeError('the script is missing; usage: syncrun [options] script [arguments]');
}

/** Value of an option that stands alone. */
function loneValue(name: OptionName): string {
  if (isFlag(name)) return 'True';
  throw new RangeError(`--${name} needs a value: --${name}=${OPTIONS[name].value}`);
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];

function tokensOf(argv: readonly string[]): Token[] {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean' },
    analyze: { type: 'boolean' },
  };
  for (const name of OPTION_NAMES) {
    const type = isFlag(name) ? 'boolean' : 'string';
    options[name] = { type };
    options[name.replaceAll('_', '-')] = { type };
  }
  // Strict parsing refuses '--node_rank -1' and knows no suggestions.
  const parsed = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  return parsed.tokens as Token[];
}

function knownName(name: string, spelled: string): OptionName {
  const known = name.replaceAll('-', '_');
  if (spelled.startsWith('--') && Object.hasOwn(OPTIONS, known)) return known as OptionName;
  const words = [...OPTION_NAMES, 'analyze', 'help', 'version'].map((word) => `--${word}`);
  const meant = suggestion(`--${known}`, words) || '; see syncrun --help';
  throw new RangeError(`unknown option ${spelled}${meant}`);
}
