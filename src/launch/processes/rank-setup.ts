/**
 * First module of a rank that is a process: the rank dies with its launcher, even if the launcher
 * is killed without a chance to end its ranks, and tells it about errors. Does nothing in processes
 * that the rank forks, which inherit it.
 */

import { readSync, writeSync } from 'node:fs';
import { explainError, RankFailedError } from '../../core/errors.js';
import { loadKoffi, setLauncherLine } from '../../group/mpi/index.js';
import { explainSyntaxError } from '../common/syntax-error.js';

/** prctl(PR_SET_PDEATHSIG, SIGKILL) */
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;
/** Milliseconds that the launcher has to take in an error. */
const ANSWER_MS = 500;

async function dieWith(launcher: string): Promise<void> {
  const koffi = await loadKoffi();
  const prctl = koffi.load(null).func('prctl', 'int', Array(5).fill('int64'));
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // The launcher may have died before the request; then nobody will send the signal.
  if (process.ppid !== Number(launcher)) {
    throw new Error(`the launcher, process ${launcher}, is gone`);
  }
}

/** Tells the launcher before Node prints the error, which the launcher then keeps for the log. */
function tellThrown(channel: number, error: unknown): void {
  const text = explainSyntaxError(error, process.argv[1]) ?? explainError(error);
  const because = error instanceof RankFailedError ? 1 : 0;
  const value = Buffer.from(text).toString('base64');
  if (say(channel, `thrown because=${because} value=${value}`)) waitForAnswer(channel);
}

/** Sends one of our own commands. @returns false if the launcher has closed the channel */
function say(channel: number, words: string): boolean {
  try {
    writeSync(channel, `cmd=syncbn_${words}\n`);
    return true;
  } catch {
    return false;
  }
}

function waitForAnswer(channel: number): void {
  const limit = performance.now() + ANSWER_MS;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (performance.now() < limit) {
    try {
      readSync(channel, new Uint8Array(4096));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

const { SYNCBN_LAUNCHER_PID: launcher, PMI_FD: channel } = process.env;
// Processes that the rank forks begin with this module, too, and have another parent.
delete process.env.SYNCBN_LAUNCHER_PID;

if (launcher !== undefined) {
  process.on('uncaughtExceptionMonitor', (error) => {
    if (process.listenerCount('uncaughtException') === 0) tellThrown(Number(channel), error);
  });
  setLauncherLine((word) => void say(Number(channel), word));
  if (process.platform === 'linux') await dieWith(launcher);
}
