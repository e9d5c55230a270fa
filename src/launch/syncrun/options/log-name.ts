/** `--worker_log_name`: the part of a log's name before the rank. */

import { hostname, networkInterfaces } from 'node:os';
import { suggestion } from '../../../core/nearest.js';
import type { Reader } from './values.js';

const PLACEHOLDERS: Record<string, () => string> = { ip: ownAddress, hostname };

/** Fills in the placeholders of the name; 'worker' if it is empty. */
export const logName: Reader<string> = (pattern, option) => {
  const name = pattern.replace(/\{([^{}]*)\}/g, (placeholder, word: string) => {
    if (Object.hasOwn(PLACEHOLDERS, word)) return PLACEHOLDERS[word]();
    const words = Object.keys(PLACEHOLDERS).map((known) => `{${known}}`);
    const meant = suggestion(placeholder, words) || `; there are ${words.join(' and ')}`;
    throw new RangeError(`--${option} has no placeholder ${placeholder}${meant}`);
  });
  if (/[{}/\\\0]/.test(name)) {
    throw new RangeError(
      `--${option} must be the name of a file without braces and folders, got '${pattern}'`,
    );
  }
  return name || 'worker';
};

/** This host's first address that other hosts can reach. */
function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const reachable = addresses.filter(({ internal }) => !internal);
  const found = reachable.find(({ family }) => family === 'IPv4') ?? reachable[0];
  return found?.address ?? '127.0.0.1';
}
