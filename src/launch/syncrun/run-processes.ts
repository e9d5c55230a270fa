/** Runs this host's part of a world of processes, to the exit status. */

import { type Failure, readSecret, runHost } from '../processes/index.js';
import { say } from '../threads/write-all.js';
import { EndSignals, statusOf } from './end-signals.js';
import { quoteTail } from './logs.js';
import type { ProcessSettings } from './options/settings.js';
import type { PreparedWorld } from './prepare.js';
import { ProcessLogs } from './process-logs.js';

/** Refused connections that are told of; there may be thousands. */
const MAX_NOTES = 5;

/**
 * Meets the other hosts, starts this host's ranks, waits for all, and says on standard error what
 * failed, wherever it did.
 * @returns the exit status
 */
export async function runProcesses(
  { settings, tsx, pins }: PreparedWorld,
  processes: ProcessSettings,
): Promise<number> {
  const { script, args, workerNum, clusterTimeOut } = settings;
  const stop = new AbortController();
  const signals = new EndSignals(() => stop.abort());
  const logs = new ProcessLogs(settings);
  const failed = await runHost({
    ...processes,
    ...{ script, args, workerNum, clusterTimeOut },
    execArgv: [...process.execArgv, ...(tsx === null ? [] : ['--import', tsx.loader])],
    env: {},
    prefix: (local) => pins?.[local] ?? [],
    secret: readSecret(null) ?? null,
    signal: stop.signal,
    onStart: (rank) => logs.open(rank),
    onOutput: (...output) => logs.write(...output),
    onNote: noteTaker(),
  });
  const { received } = signals;
  if (received !== null) {
    // Whoever interrupts does not wait for a console that stands still.
    logs.conclude(`syncrun: ended by ${received}\n`);
    return statusOf(received);
  }
  await logs.close();
  if (failed !== null) showFailure(failed, logs);
  return failed?.exitCode ?? 0;
}

function noteTaker(): (text: string) => void {
  let notes = 0;
  return (text) => {
    notes++;
    if (notes <= MAX_NOTES) say(`syncrun: ${text}\n`);
    if (notes === MAX_NOTES) say('syncrun: further connections that are refused are not shown\n');
  };
}

function showFailure({ text, rank, output }: Failure, logs: ProcessLogs): void {
  const tail = rank === null || output === '' ? '' : quoteTail(logs.where(rank), output);
  say(`syncrun: ${text}\n${tail}`);
}
