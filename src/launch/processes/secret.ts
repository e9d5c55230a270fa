/** The secret that the hosts of one launch have in common. */

import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

/** Variable that holds the secret itself. */
export const SECRET_VARIABLE = 'SYNCBN_SECRET';

const MIN_LENGTH = 16;

/**
 * Reads the secret from `file`, or else from the environment.
 * @throws RangeError when the file cannot be read
 */
export function readSecret(
  file: string | null,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  if (file === null) return env[SECRET_VARIABLE];
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new RangeError(`cannot read the secret: ${(cause as Error).message}`, { cause });
  }
}

/** Warns of a secret's file that others on this host may read; null if they may not. */
export function secretWarning(file: string): string | null {
  const open = process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0;
  return open ? `others may read the secret in ${file}; chmod 600 it` : null;
}

/** Makes a new secret of 128 bits. */
export function makeSecret(): string {
  return randomBytes(16).toString('hex');
}

/** @throws RangeError for a secret that is missing or too short */
export function checkSecret(secret: unknown): void {
  if (typeof secret === 'string' && secret.length >= MIN_LENGTH) return;
  const got = typeof secret === 'string' ? `one of ${secret.length}` : 'none';
  throw new RangeError(
    `several hosts need a secret of at least ${MIN_LENGTH} characters in common, got ${got}`,
  );
}
