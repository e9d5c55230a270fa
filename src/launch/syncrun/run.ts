/** Runs a world that is ready, by the launcher that its settings name. */

import { claimLogs } from './job-file.js';
import type { PreparedWorld } from './prepare.js';
import { runProcesses } from './run-processes.js';
import { runThreads } from './run-threads.js';

/**
 * @param onStarted called when the ranks here run
 * @returns the exit status
 */
export function runPrepared(world: PreparedWorld, onStarted = () => {}): Promise<number> {
  const { processes } = world.settings;
  const release = claimLogs(world.settings);
  const status =
    processes === null ? runThreads(world, onStarted) : runProcesses(world, processes, onStarted);
  return status.finally(release);
}
