/** Values of options as they were given: whole numbers, seconds, True and False. */

import { suggestion } from './nearest.js';
import type { OptionName } from './table.js';

/** Options that were given, as texts. */
export type Given = Partial<Record<OptionName, string>>;

export function integer(name: OptionName, text: string, least: number): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`--${name} must be an integer of ${least} or more, got '${text}'`);
  }
  return value;
}

export function seconds(name: OptionName, text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value) || value === 0) {
    throw new RangeError(
      `--${name} must be a number of seconds, negative for no limit, and not 0, got '${text}'`,
    );
  }
  return value;
}

export function boolean(name: OptionName, text: string): boolean {
  if (/^(true|1)$/i.test(text)) return true;
  if (/^(false|0)$/i.test(text)) return false;
  const meant = suggestion(text, ['True', 'False']);
  throw new RangeError(`--${name} must be True or False, got '${text}'${meant}`);
}
