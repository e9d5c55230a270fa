/** Checks of constructor arguments: TypeError for a wrong type, RangeError for a wrong value. */

import { checkInteger, checkType } from '../core/checks.js';
import { show } from '../core/show.js';

/** Most channels of a layer: more than memory holds, and few enough to count their bytes. */
const MOST_CHANNELS = 2 ** 28;

/** Checks the number of a layer's channels. */
export function checkChannels(value: unknown, layer: string): void {
  const channels = checkInteger(value, 1, `${layer}: numFeatures`);
  if (channels > MOST_CHANNELS) {
    throw new RangeError(`${layer}: numFeatures must be ${MOST_CHANNELS} or less, got ${channels}`);
  }
}

/** Checks `eps`: a number, finite and not negative. */
export function checkEps(given: unknown, layer: string): number {
  const value = checkType(given, 'number', `${layer}: eps`);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new RangeError(`${layer}: eps must be finite and 0 or more, got ${show(value)}`);
}

/** Checks `momentum`: a number in [0, 1]. */
export function checkMomentum(given: unknown, layer: string): number {
  const value = checkType(given, 'number', `${layer}: momentum`);
  if (value >= 0 && value <= 1) return value;
  throw new RangeError(`${layer}: momentum must be in [0, 1], got ${show(value)}`);
}
