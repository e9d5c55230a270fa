/** Where the hosts' common secret comes from. */

import { readFileSync } from 'node:fs';

/** Variable that holds the secret itself. */
export const SECRET_VARIABLE = 'SYNCBN_SECRET';

/**
 * The secret in `file`, or else in the environment.
 * @throws RangeError when the file cannot be read
 */
export function readSecret(file: string | null, env = process.env): string | undefined {
  if (file === null) return env[SECRET_VARIABLE];
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new RangeError(`launch: cannot read the secret: ${(cause as Error).message}`, { cause });
  }
}
