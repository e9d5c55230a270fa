/** Runs the world of one `syncrun` in this process, to the exit status. */

import { pathToFileURL } from 'node:url';
import { threadStarter } from '../threads/rank-thread.js';
import { say } from '../threads/write-all.js';
import { type RankFailure, Ranks, type WorldEnd } from '../world/ranks.js';
import { dieBy, type EndSignal, EndSignals, statusOf } from './end-signals.js';
import { Logs, quoteTail } from './logs.js';
import type { PreparedWorld } from './prepare.js';

/**
 * Starts the ranks, waits for them, and says on standard error which one failed.
 * @returns the exit status
 */
export async function runThreads({ settings, tsx }: PreparedWorld): Promise<number> {
  const { script, args, workerNum, clusterTimeOut, tail } = settings;
  const logs = new Logs(settings);
  const startRank = threadStarter({
    script: pathToFileURL(script),
    program: true,
    ...{ tsx, args },
    dataOf: () => undefined,
    outputOf: (rank) => ({ log: logs.path(rank), console: tail.includes(rank), report: false }),
  });
  const timeouts = { timeout: undefined, startTimeout: clusterTimeOut };
  const ranks = new Ranks({ size: workerNum, startRank, ...timeouts });
  const signals = new EndSignals(() => ranks.stop());
  const end = await ranks.end;
  if (signals.received !== null) return endedBy(signals.received, end, logs);
  if (end.failure !== null) showFailure(end.failure, logs);
  if (end.stuck.length > 0) abandon(end.stuck);
  return end.failure?.exitCode ?? 0;
}

function endedBy(signal: EndSignal, end: WorldEnd, logs: Logs): number {
  for (const rank of end.results.keys()) logs.append(rank, `syncrun: ended by ${signal}\n`);
  if (end.stuck.length > 0) dieBy(signal);
  return statusOf(signal);
}

function showFailure({ rank, text }: RankFailure, logs: Logs): void {
  // A rank that ran out of memory, or was ended, could not say so itself.
  if (!logs.tail(rank).includes(text)) logs.append(rank, `${text}\n`);
  say(`syncrun: ${text}\n${quoteTail(logs.path(rank), logs.tail(rank))}`);
}

/** Node cannot exit while a thread is inside native code: it waits for the thread. */
function abandon(stuck: readonly number[]): void {
  say(
    `syncrun: rank ${stuck.join(', ')} is in native code and does not end; killing the process\n`,
  );
  process.kill(process.pid, 'SIGKILL');
}
