/** Checks of constructor arguments: TypeError for a wrong type, RangeError for a wrong value. */

import { show } from '../core/show.js';

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

/** Most channels of a layer: more than memory holds, and few enough to count their bytes. */
const MOST_CHANNELS = 2 ** 28;

/** Checks the number of a layer's channels. */
export function checkChannels(value: unknown, layer: string): void {
  const channels = checkInteger(value, 1, `${layer}: numFeatures`);
  if (channels > MOST_CHANNELS) {
    throw new RangeError(`${layer}: numFeatures must be ${MOST_CHANNELS} or less, got ${channels}`);
  }
}

export function checkBoolean(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') {
    throw new TypeError(`${what} must be true or false, got ${show(value)}`);
  }
  return value;
}

/** Checks `eps`: a number, finite and not negative. */
export function checkEps(value: unknown, layer: string): number {
  if (typeof value !== 'number') {
    throw new TypeError(`${layer}: eps must be a number, got ${show(value)}`);
  }
  if (!Number.isFinite(value) || value < 0) {
    throw new RangeError(`${layer}: eps must be finite and 0 or more, got ${show(value)}`);
  }
  return value;
}

/** Checks `momentum`: a number in [0, 1]. */
export function checkMomentum(value: unknown, layer: string): number {
  if (typeof value !== 'number') {
    throw new TypeError(`${layer}: momentum must be a number, got ${show(value)}`);
  }
  if (!(value >= 0 && value <= 1)) {
    throw new RangeError(`${layer}: momentum must be in [0, 1], got ${show(value)}`);
  }
  return value;
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
