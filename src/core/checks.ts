/** Checks of arguments: TypeError for a wrong type, RangeError for a wrong value. */

import { show } from './show.js';

const RULES = {
  boolean: 'true or false',
  function: 'a function',
  number: 'a number',
  string: 'a string',
};

interface Types {
  boolean: boolean;
  function: (...args: never[]) => unknown;
  number: number;
  string: string;
}

/** Throws "what must be a string, got 5" unless `value` is of `type`, as `typeof` tells. */
export function checkType<T extends keyof Types>(value: unknown, type: T, what: string): Types[T] {
  if (typeof value === type) return value as Types[T];
  throw new TypeError(`${what} must be ${RULES[type]}, got ${show(value)}`);
}

/** Throws unless `value` is an integer of `least` or more. */
export function checkInteger(value: unknown, least: number, what: string): number {
  if (!Number.isInteger(value)) {
    throw new TypeError(`${what} must be an integer, got ${show(value)}`);
  }
  if ((value as number) < least) {
    throw new RangeError(`${what} must be ${least} or more, got ${show(value)}`);
  }
  return value as number;
}

/** Throws RangeError unless `value` is one of `choices`. */
export function checkChoice<T extends string>(
  value: unknown,
  choices: readonly T[],
  what: string,
): T {
  if (!choices.includes(value as T)) {
    throw new RangeError(`${what} must be one of ${choices.join(', ')}, got ${show(value)}`);
  }
  return value as T;
}
