/** Deadlines of collectives. */

import { show } from '../core/show.js';

/** Seconds that a collective may take by default. */
export const DEFAULT_TIMEOUT = 600;

/** @throws TypeError for anything but a number; RangeError unless it is above 0 */
export function checkTimeout(caller: string, seconds: unknown): void {
  if (typeof seconds !== 'number') {
    throw new TypeError(`${caller}: timeout must be a number of seconds, got ${show(seconds)}`);
  }
  if (!(seconds > 0)) {
    throw new RangeError(`${caller}: timeout must be above 0 seconds, got ${seconds}`);
  }
}
