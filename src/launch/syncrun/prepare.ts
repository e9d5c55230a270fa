/** What a world needs before it starts, whichever launcher starts it; all mistakes show here. */

import { pathToFileURL } from 'node:url';
import { loadKoffi } from '../../group/mpi/index.js';
import { findTsx } from '../common/typescript.js';
import { say } from '../common/write-all.js';
import { pinning } from '../processes/cores.js';
import { SECRET_VARIABLE } from '../processes/index.js';
import { openLogs, prepareFolder } from './log-files.js';
import type { ProcessSettings } from './options/hosts.js';
import type { Settings } from './options/settings.js';
import { runProcesses } from './run-processes.js';
import { runWorld } from './run-threads.js';
import { type Secret, secretFor } from './secrets.js';

export interface PreparedWorld {
  /** Descriptors of the logs, in rank order; none where the ranks are processes. */
  readonly logs: number[];
  /** What the hosts know in common; null where there is one. */
  readonly secret: string | null;
}

/** @throws RangeError or Error for what would keep the world from starting */
export async function prepareWorld(settings: Settings): Promise<PreparedWorld> {
  findTsx(pathToFileURL(settings.script));
  const { logDir, logName, workerNum, processes } = settings;
  if (processes === null) return { logs: openLogs(logDir, logName, workerNum), secret: null };
  await loadKoffi();
  if (processes.bindCore) pinning(processes.localWorkerNum);
  const secret = await secretFor(processes);
  prepareFolder(logDir);
  if (secret?.made) showSecret(secret, processes);
  return { logs: [], secret: secret?.text ?? null };
}

/** @returns the exit status */
export function runPrepared(settings: Settings, { logs, secret }: PreparedWorld): Promise<number> {
  const { processes } = settings;
  if (processes === null) return runWorld(settings, logs);
  return runProcesses({ settings, processes, secret });
}

function showSecret({ text }: Secret, { masterAddr, masterPort }: ProcessSettings): void {
  say(
    `syncrun: the other hosts meet this one at ${masterAddr}, port ${masterPort}, and need its secret:\n` +
      `syncrun:   export ${SECRET_VARIABLE}=${text}\n`,
  );
}
