/**
 * Marks the jobs that write logs in a folder: a file for each `syncrun` that runs, beside its logs.
 * A second job would empty the logs.
 */

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Settings } from './options/settings.js';

export interface Job {
  readonly pid: number;
  /** Start of the process, in the kernel's words: another process may have its id later. */
  readonly started: string;
  readonly script: string;
  readonly logName: string;
  /** Meeting point of its hosts, and the job's name; null for a world on one host. */
  readonly meeting: string | null;
}

const PREFIX = `.syncrun-${hostname()}-`;

/** Finds the jobs of this host that write to `folder` now. Removes files of ended jobs. */
export function runningJobs(folder: string): Job[] {
  const names = readdirSync(folder).filter((name) => name.startsWith(PREFIX));
  return names.flatMap((name) => {
    const path = join(folder, name);
    const job = readJob(path);
    if (job !== null && job.started === startOf(job.pid)) return [job];
    rmSync(path, { force: true });
    return [];
  });
}

/** @throws RangeError when another job writes logs of these names */
export function refuseRunning(settings: Settings): void {
  const meeting = meetingOf(settings);
  for (const job of runningJobs(settings.logDir)) {
    if (job.logName !== settings.logName || job.pid === process.pid) continue;
    // Two hosts of one world may be one machine.
    if (meeting !== null && job.meeting === meeting) continue;
    throw new RangeError(
      `--log_dir: process ${job.pid} runs ${job.script} and writes its logs there; give this job ` +
        'another --log_dir or --worker_log_name',
    );
  }
}

/** Marks the logs as written by this process. @returns a function that removes the mark */
export function claimLogs(settings: Settings): () => void {
  const path = join(settings.logDir, `${PREFIX}${process.pid}.json`);
  const { script, logName } = settings;
  const who = { pid: process.pid, started: startOf(process.pid) };
  const job: Job = { ...who, script, logName, meeting: meetingOf(settings) };
  try {
    writeFileSync(path, JSON.stringify(job));
  } catch {
    // A full disk: the job runs all the same.
  }
  return () => rmSync(path, { force: true });
}

function readJob(path: string): Job | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** The start of a process, in the kernel's words; '' when the process is not there. */
function startOf(pid: number): string {
  try {
    // Its name, in brackets, may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[0] === 'Z' ? '' : fields[19];
  } catch {
    return isThere(pid) ? 'running' : '';
  }
}

/** For systems without /proc. */
function isThere(pid: number): boolean {
  try {
    return process.platform !== 'linux' && process.kill(pid, 0);
  } catch {
    return false;
  }
}

function meetingOf({ workerNum, processes }: Settings): string | null {
  if (processes === null || processes.localWorkerNum === workerNum) return null;
  const { masterAddr, masterPort, jobName } = processes;
  return `${masterAddr} ${masterPort} ${workerNum} ${jobName}`;
}
