/** The secret that the hosts of one launch have in common: read, or made by the first of them. */

import { randomBytes } from 'node:crypto';
import { checkSecret, isLocal, readSecret, SECRET_VARIABLE } from '../processes/index.js';
import type { ProcessSettings } from './options/hosts.js';

export interface Secret {
  readonly text: string;
  /** Whether it is new, so that the other hosts must be told. */
  readonly made: boolean;
}

/**
 * @returns null on one host, which needs none
 * @throws RangeError for a file that cannot be read, a secret that is too short, and none at all
 *   on any host but the first
 */
export async function secretFor(processes: ProcessSettings): Promise<Secret | null> {
  const { workerNum, localWorkerNum, secretFile } = processes;
  if (localWorkerNum === workerNum) return null;
  const text = readSecret(secretFile);
  if (text !== undefined) {
    checkSecret(text);
    return { text, made: false };
  }
  if (await isFirst(processes)) return { text: randomBytes(16).toString('hex'), made: true };
  throw new RangeError(
    `several hosts need a secret in common: give the one that the first host shows, as ` +
      `--secret_file=FILE or in the variable ${SECRET_VARIABLE}`,
  );
}

async function isFirst({ nodeRank, masterAddr }: ProcessSettings): Promise<boolean> {
  if (nodeRank >= 0) return nodeRank === 0;
  try {
    return await isLocal(masterAddr);
  } catch (cause) {
    throw new RangeError(`--master_addr: ${(cause as Error).message}`, { cause });
  }
}
