/** Ranks that are processes, over MPI. */

import { useNodeCopies } from '../rounds/node-copies.js';
import { DEFAULT_TIMEOUT } from '../timeout.js';
import { launchFromEnvironment } from './environment.js';
import { loadKoffi } from './library/koffi.js';
import { loadMpi } from './library/library.js';
import { MpiWorld } from './world.js';

export { launchFromEnvironment, type MpiLaunch } from './environment.js';
export { setLauncherLine } from './launcher-line.js';
export { loadKoffi } from './library/koffi.js';
export { MpiWorld } from './world.js';

export interface MpiWorldOptions {
  /** Seconds that a collective may take unless it names a timeout. Default 600. */
  timeout?: number;
}

/**
 * The world that mpirun, mpiexec, srun or our own launcher made; null when none of them started
 * this process.
 * @throws Error when koffi or the launcher's MPI library is missing, or contradicts the launcher
 */
export async function mpiWorldFromEnvironment(
  options: MpiWorldOptions = {},
): Promise<MpiWorld | null> {
  const env = (globalThis as { process?: NodeJS.Process }).process?.env;
  const launch = env === undefined ? null : launchFromEnvironment(env);
  if (launch === null) return null;
  useNodeCopies();
  const mpi = loadMpi(await loadKoffi(), launch);
  return new MpiWorld(mpi, launch, options.timeout ?? DEFAULT_TIMEOUT);
}
