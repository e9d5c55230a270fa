/** Runs this host's part of a world of processes, from the logs' opening to the exit status. */

import { pathToFileURL } from 'node:url';
import { findTsxLoader } from '../common/typescript.js';
import { say } from '../common/write-all.js';
import { pinning } from '../processes/cores.js';
import { LaunchError, launchProcesses, type ProcessLaunchOptions } from '../processes/index.js';
import { EndSignals, statusOf } from './end-signals.js';
import type { ProcessSettings } from './options/hosts.js';
import type { Settings } from './options/settings.js';
import { ProcessLogs } from './process-logs.js';

/** First module of every rank: ties its life to the launcher's. */
const FOLLOW = new URL('../processes/follow.js', import.meta.url).href;
/** Refused connections that are told of; there may be thousands. */
const MAX_NOTES = 5;

/** A run of processes. */
export interface ProcessRun {
  readonly settings: Settings;
  readonly processes: ProcessSettings;
  /** What the hosts know in common; null on one host. */
  readonly secret: string | null;
}

/**
 * Meets the other hosts, starts this host's ranks, waits for all, and says on standard error what
 * failed, wherever it did.
 * @returns the exit status
 */
export async function runProcesses(run: ProcessRun): Promise<number> {
  const stop = new AbortController();
  const signals = new EndSignals(() => stop.abort());
  const logs = new ProcessLogs(run.settings);
  const failed = await failureOf(launchProcesses(optionsFor(run, logs, stop.signal)));
  const { received } = signals;
  if (received !== null) {
    // Whoever interrupts does not wait for a console that stands still.
    logs.conclude(`syncrun: ended by ${received}\n`);
    return statusOf(received);
  }
  await logs.close();
  if (failed === null) return 0;
  showFailure(failed, logs);
  return failed.exitCode;
}

async function failureOf(launched: Promise<void>): Promise<LaunchError | null> {
  try {
    await launched;
    return null;
  } catch (error) {
    if (error instanceof LaunchError) return error;
    throw error;
  }
}

function optionsFor(
  { settings, processes, secret }: ProcessRun,
  logs: ProcessLogs,
  signal: AbortSignal,
): ProcessLaunchOptions {
  const { script, args, clusterTimeOut } = settings;
  const { secretFile: _, bindCore, ...meeting } = processes;
  const pins = bindCore ? pinning(meeting.localWorkerNum) : null;
  return {
    ...meeting,
    ...(secret !== null && { secret }),
    ...{ script, args, clusterTimeOut, signal },
    execArgv: [...process.execArgv, '--import', FOLLOW, ...loaderFor(script)],
    prefix: (local) => pins?.[local] ?? [],
    onStart: (rank) => logs.open(rank),
    onOutput: (...output) => logs.write(...output),
    onNote: noteTaker(),
  };
}

function loaderFor(script: string): string[] {
  const loader = findTsxLoader(pathToFileURL(script));
  return loader === null ? [] : ['--import', loader];
}

function noteTaker(): (text: string) => void {
  let notes = 0;
  return (text) => {
    notes++;
    if (notes <= MAX_NOTES) say(`syncrun: ${text}\n`);
    if (notes === MAX_NOTES) say('syncrun: further connections that are refused are not shown\n');
  };
}

function showFailure({ message, rank, output }: LaunchError, logs: ProcessLogs): void {
  const text = message.replace(/^launch: /, '');
  if (rank === null || output === '') say(`syncrun: ${text}\n`);
  else {
    const where = logs.has(rank) ? logs.path(rank) : `the log of rank ${rank} there`;
    say(`syncrun: ${text}\nsyncrun: the end of ${where}:\n${output.replaceAll(/^/gm, '  ')}\n`);
  }
}
