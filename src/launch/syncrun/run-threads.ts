/** Runs the world of one `syncrun` in this process, from the logs' opening to the exit status. */

import { pathToFileURL } from 'node:url';
import { findTsx } from '../common/typescript.js';
import { say, writeAll } from '../common/write-all.js';
import { type RankFailure, Ranks, type WorldEnd } from '../threads/ranks.js';
import { dieBy, type EndSignal, EndSignals, statusOf } from './end-signals.js';
import { logPath, logTail } from './log-files.js';
import type { Settings } from './options/settings.js';

/**
 * Starts the ranks, waits for them, and says on standard error which one failed.
 * @param logs descriptors of the ranks' logs, in rank order
 * @returns the exit status
 */
export async function runWorld(settings: Settings, logs: readonly number[]): Promise<number> {
  const ranks = startRanks(settings, logs);
  const signals = new EndSignals(() => ranks.stop());
  const end = await ranks.end;
  if (signals.received !== null) return endedBy(signals.received, end, logs);
  if (end.failure !== null) showFailure(end.failure, settings, logs);
  if (end.stuck.length > 0) abandon(end.stuck);
  return end.failure?.exitCode ?? 0;
}

function startRanks(settings: Settings, logs: readonly number[]): Ranks {
  const { script, args, workerNum, clusterTimeOut, tail } = settings;
  const url = pathToFileURL(script);
  return new Ranks({
    size: workerNum,
    script: url,
    program: true,
    tsx: findTsx(url),
    args,
    dataOf: () => undefined,
    outputOf: (rank) => ({ logFd: logs[rank], console: tail.includes(rank), report: false }),
    timeout: undefined,
    startTimeout: clusterTimeOut < 0 ? Number.POSITIVE_INFINITY : clusterTimeOut,
  });
}

function endedBy(signal: EndSignal, end: WorldEnd, logs: readonly number[]): number {
  for (const log of logs) writeAll(log, `syncrun: ended by ${signal}\n`);
  if (end.stuck.length > 0) dieBy(signal);
  return statusOf(signal);
}

function showFailure(failure: RankFailure, settings: Settings, logs: readonly number[]): void {
  const { rank, text } = failure;
  // A rank that ran out of memory, or was ended, could not say so itself.
  const log = logs[rank];
  if (!logTail(log).includes(text)) writeAll(log, `${text}\n`);
  const path = logPath(settings.logDir, settings.logName, rank);
  const tail = logTail(log).replaceAll(/^/gm, '  ');
  say(`syncrun: ${text}\nsyncrun: the end of ${path}:\n${tail}\n`);
}

/** Node cannot exit while a thread is inside native code: it waits for the thread. */
function abandon(stuck: readonly number[]): void {
  say(
    `syncrun: rank ${stuck.join(', ')} is in native code and does not end; killing the process\n`,
  );
  process.kill(process.pid, 'SIGKILL');
}
