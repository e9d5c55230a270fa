/** Prepares a world before it starts, for either launcher; all mistakes show here, once. */

import { pathToFileURL } from 'node:url';
import { loadKoffi } from '../../group/mpi/index.js';
import { say } from '../common/write-all.js';
import {
  checkSecret,
  makeSecret,
  mayBeFirst,
  pinning,
  readSecret,
  SECRET_VARIABLE,
  secretWarning,
} from '../processes/index.js';
import { findTsx, type Tsx } from '../threads/typescript.js';
import { checkDescriptors } from './descriptors.js';
import { Logs } from './logs.js';
import type { ProcessSettings, Settings } from './options/settings.js';

/** A world that is ready to start; survives JSON, where its secret must not go. */
export interface PreparedWorld {
  readonly settings: Settings;
  readonly tsx: Tsx | null;
  /** Words that pin each local rank, before its command; null: no rank is pinned. */
  readonly pins: readonly string[][] | null;
}

/** @throws RangeError or Error for anything that would keep the world from starting */
export async function prepareWorld(settings: Settings): Promise<PreparedWorld> {
  const { processes, workerNum } = settings;
  const tsx = findTsx(pathToFileURL(settings.script));
  const logs = new Logs(settings);
  if (processes === null) {
    checkDescriptors(workerNum);
    logs.prepare(settings, Array(workerNum).keys());
    return { settings, tsx, pins: null };
  }
  await loadKoffi();
  const pins = processes.bindCore ? pinning(processes.localWorkerNum) : null;
  checkDescriptors(processes.localWorkerNum);
  if (processes.localWorkerNum < workerNum) await prepareSecret(processes);
  logs.prepare(settings, []);
  return { settings, tsx, pins };
}

/**
 * Puts the hosts' secret into the environment, since other users can read command lines. The first
 * host makes one if it has none.
 */
async function prepareSecret(processes: ProcessSettings): Promise<void> {
  const { masterAddr, masterPort, secretFile } = processes;
  const secret = readSecret(secretFile);
  const warning = secretFile === null ? null : secretWarning(secretFile);
  if (warning !== null) say(`syncrun: ${warning}\n`);
  if (secret !== undefined) {
    checkSecret(secret);
    process.env[SECRET_VARIABLE] = secret;
    return;
  }
  // A name that does not resolve yet belongs to another host.
  if (!(await mayBeFirst(processes).catch(() => false))) {
    throw new RangeError(
      `several hosts need a secret in common: give the one that the first host shows, as ` +
        `--secret_file=FILE or in the variable ${SECRET_VARIABLE}`,
    );
  }
  const made = makeSecret();
  process.env[SECRET_VARIABLE] = made;
  say(
    `syncrun: the other hosts meet this one at ${masterAddr}, port ${masterPort}, and need its secret:\n` +
      `syncrun:   export ${SECRET_VARIABLE}=${made}\n`,
  );
}
