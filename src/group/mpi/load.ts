/**
 * Joins the world of an MPI launcher, if one started this process; only then MPI is loaded. In
 * bundles for browsers none.ts stands in for this file.
 */

import type { World } from '../transport.js';

/** The world of mpirun, mpiexec, srun or our own launcher, or null. */
export async function joinLaunchedProcess(timeout: number | undefined): Promise<World | null> {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  if (process?.env === undefined) return null;
  const { launchFromEnvironment } = await import('./environment.js');
  if (launchFromEnvironment(process.env) === null) return null;
  const { mpiWorldFromEnvironment } = await import('./index.js');
  return mpiWorldFromEnvironment(timeout === undefined ? {} : { timeout });
}
