/** Ranks of our own launcher die with it, even when it is killed without a chance to end them. */

import type { Koffi } from './library/koffi.js';

/** prctl(PR_SET_PDEATHSIG, SIGKILL) */
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/** @throws Error when the launcher has ended already */
export function followLauncher(koffi: Koffi): void {
  const launcher = process.env.SYNCBN_LAUNCHER_PID;
  if (launcher === undefined || process.platform !== 'linux') return;
  const prctl = koffi.load(null).func('prctl', 'int', Array(5).fill('int64'));
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // The launcher may have died before the request; then nobody will send the signal.
  if (process.ppid !== Number(launcher)) {
    throw new Error(`the launcher, process ${launcher}, is gone`);
  }
}
