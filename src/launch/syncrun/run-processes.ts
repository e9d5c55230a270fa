/** Runs this host's part of a world of processes, to the exit status. */

import { RECORDER_VARIABLE } from '../../group/rounds/recorder.js';
import { say } from '../common/write-all.js';
import { type Failure, readSecret, runHost } from '../processes/index.js';
import { statusOf } from '../world/signals.js';
import { EndSignals } from './end-signals.js';
import { failureReport } from './failure-report.js';
import type { ProcessSettings } from './options/settings.js';
import type { PreparedWorld } from './prepare.js';
import { ProcessLogs } from './process-logs.js';

/** Most refused connections that are reported; there may be thousands. */
const MAX_NOTES = 5;

/**
 * Meets the other hosts, starts this host's ranks, waits for all, and reports the failure on
 * standard error, on whichever host it was.
 * @param onStarted called when this host's ranks run
 * @returns the exit status
 */
export async function runProcesses(
  { settings, tsx, pins }: PreparedWorld,
  processes: ProcessSettings,
  onStarted: () => void,
): Promise<number> {
  const { script, args, workerNum, clusterTimeOut, grace } = settings;
  const stop = new AbortController();
  const signals = new EndSignals((signal) => stop.abort(signal));
  const logs = new ProcessLogs(settings);
  process.on('SIGUSR2', () => logs.askForRecords());
  let started = 0;
  const failed = await runHost({
    ...processes,
    ...{ script, args, workerNum, clusterTimeOut, grace },
    execArgv: [...process.execArgv, ...(tsx === null ? [] : ['--import', tsx.loader])],
    env: { [RECORDER_VARIABLE]: logs.recordPath },
    prefix: (local) => pins?.[local] ?? [],
    secret: readSecret(null) ?? null,
    signal: stop.signal,
    onStart: (rank) => {
      logs.open(rank);
      started++;
      if (started === processes.localWorkerNum) onStarted();
    },
    onEnd: (rank) => logs.ended(rank),
    onOutput: (...output) => logs.write(...output),
    onThrown: (rank, text, because) => logs.take({ rank, text, because }),
    onNote: noteTaker(),
  });
  const { received } = signals;
  if (received !== null) {
    // A user who interrupts does not wait for a console that stands still.
    logs.conclude(`syncrun: ended by ${received}\n`);
    return statusOf(received);
  }
  await logs.close();
  if (failed !== null) say(report(failed, logs));
  return failed?.exitCode ?? 0;
}

function report({ text, rank, output }: Failure, logs: ProcessLogs): string {
  const log = rank === null ? null : logs.describe(rank, output);
  return failureReport(text, rank, logs.thrown, log) + logs.recordHint;
}

function noteTaker(): (text: string) => void {
  let notes = 0;
  return (text) => {
    notes++;
    if (notes <= MAX_NOTES) say(`syncrun: ${text}\n`);
    if (notes === MAX_NOTES) say('syncrun: further connections that are refused are not shown\n');
  };
}
