/** Starts the world of `syncrun --join=False` in a background process. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say, writeAll } from '../common/write-all.js';
import { Logs } from './logs.js';
import type { PreparedWorld } from './prepare.js';

const ENTRY = fileURLToPath(new URL('./background-main.js', import.meta.url));

/** File in the log folder with the launcher's own messages. */
const LAUNCHER_LOG = 'syncrun.log';
/** Milliseconds that a world is watched: until it has started, and then a moment longer. */
const WATCH_MS = 5000;
const MOMENT_MS = 1000;

/**
 * Starts the world in a process of its own, which outlives this one and its terminal. A world that
 * fails as soon as it starts, as with a mistake in the script, is reported here.
 * @returns the exit status
 */
export async function startInBackground({ settings, ...rest }: PreparedWorld): Promise<number> {
  const launcherLog = join(settings.logDir, LAUNCHER_LOG);
  rmSync(launcherLog, { force: true });
  const log = openSync(launcherLog, 'ax');
  const world: PreparedWorld = { settings: { ...settings, tail: [] }, ...rest };
  const words = [...process.execArgv, ENTRY, JSON.stringify(world)];
  const child = spawn(process.execPath, words, {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const status = await earlyEnd(child);
  if (status !== null && status !== 0) {
    say(readFileSync(launcherLog, 'utf8'));
    say(`syncrun: the ranks ended as soon as they had started; ${whereabouts(settings)}\n`);
    return status;
  }
  const { pid } = child;
  const state = status === 0 ? 'have ended' : `run in the background, process ${pid}`;
  const how = status === 0 ? '' : `; kill ${pid} ends them`;
  writeAll(
    1,
    `syncrun: ${ranksHere(settings)} ${state}${how}\nsyncrun: ${whereabouts(settings)}\n`,
  );
  return 0;
}

/** Exit status of a world that ends while it is watched; null when it runs on. */
async function earlyEnd(child: ChildProcess): Promise<number | null> {
  const ended = new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => resolve(code ?? 1));
    child.once('error', reject);
  });
  const pause = (ms: number) => new Promise<null>((resolve) => setTimeout(resolve, ms, null));
  const started = once(child, 'message').then(() => pause(MOMENT_MS));
  const status = await Promise.race([ended, started, pause(WATCH_MS)]);
  if (child.connected) child.disconnect();
  child.unref();
  return status;
}

function ranksHere({ workerNum, processes }: PreparedWorld['settings']): string {
  const local = processes?.localWorkerNum ?? workerNum;
  return local < workerNum ? `${local} of ${workerNum} ranks` : `${workerNum} ranks`;
}

function whereabouts(settings: PreparedWorld['settings']): string {
  const { workerNum, processes } = settings;
  const local = processes?.localWorkerNum ?? workerNum;
  const path = new Logs(settings).path(local < workerNum ? 'RANK' : `{0..${workerNum - 1}}`);
  return `their logs are ${path}; what syncrun itself says is in ${LAUNCHER_LOG} beside them`;
}
