/** Readers of options: from a text to a value, or an error that names option, rule and text. */

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { suggestion } from '../../../core/nearest.js';

/** @throws RangeError for a text that is not such a value */
export type Reader<T> = (text: string, name: string) => T;

export function integer(least: number, most = Number.MAX_SAFE_INTEGER): Reader<number> {
  const rule =
    most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
  return (text, name) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new RangeError(`--${name} must be an integer ${rule}, got '${text}'`);
  };
}

export const seconds: Reader<number> = (text, name) => {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value) && value !== 0) return value;
  throw new RangeError(
    `--${name} must be a number of seconds, negative for no limit, and not 0, got '${text}'`,
  );
};

/** Seconds of 0 or more. */
export const duration: Reader<number> = (text, name) => {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new RangeError(`--${name} must be a number of seconds, 0 or more, got '${text}'`);
};

export const boolean: Reader<boolean> = (text, name) => {
  if (/^(true|1)$/i.test(text)) return true;
  if (/^(false|0)$/i.test(text)) return false;
  const meant = suggestion(text, ['True', 'False']);
  throw new RangeError(`--${name} must be True or False, got '${text}'${meant}`);
};

/** One of `words`; null: the empty text, which leaves the choice open. */
export function choice<T extends string>(words: readonly T[]): Reader<T | null> {
  return (text, name) => {
    if (text === '') return null;
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new RangeError(
      `--${name} must be ${words.join(' or ')}, got '${text}'${suggestion(text, words)}`,
    );
  };
}

/** Ranks with commas between; null: -1, all ranks. */
export const rankList: Reader<readonly number[] | null> = (text, name) => {
  if (text.trim() === '-1') return null;
  const words = text.split(',').map((word) => word.trim());
  if (words.every((word) => /^\d+$/.test(word))) return [...new Set(words.map(Number))];
  throw new RangeError(`--${name} must be -1 or ranks with commas between, as 0,2, got '${text}'`);
};

const HOST_NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i;

/** A host's name or address; an IPv6 address may stand in brackets. */
export const address: Reader<string> = (text, name) => {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  if (isIP(bare) !== 0 || HOST_NAME.test(bare)) return bare;
  throw new RangeError(`--${name} must be a host's name or address, got '${text}'`);
};

/** Any text. */
export const text: Reader<string> = (given) => given;

/** The absolute path of a folder. */
export const folder: Reader<string> = (text, name) => {
  if (text !== '') return resolve(text);
  throw new RangeError(`--${name} must not be empty`);
};

/** The absolute path of a file; null: no file. */
export const file: Reader<string | null> = (text) => (text === '' ? null : resolve(text));
