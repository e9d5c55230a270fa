/**
 * First module of a rank that is a process: the rank dies with its launcher, even when that is
 * killed without a chance to end its ranks.
 */

import { loadKoffi } from '../../group/mpi/index.js';

/** prctl(PR_SET_PDEATHSIG, SIGKILL) */
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

const launcher = process.env.SYNCBN_LAUNCHER_PID;
// What the rank forks begins with this module, too, and has another parent.
delete process.env.SYNCBN_LAUNCHER_PID;

if (launcher !== undefined && process.platform === 'linux') {
  const koffi = await loadKoffi();
  const prctl = koffi.load(null).func('prctl', 'int', Array(5).fill('int64'));
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // The launcher may have died before the request; then nobody will send the signal.
  if (process.ppid !== Number(launcher)) {
    throw new Error(`the launcher, process ${launcher}, is gone`);
  }
}
