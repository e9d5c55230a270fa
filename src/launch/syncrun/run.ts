/** Runs a world that is ready, by the launcher that its settings name. */

import type { PreparedWorld } from './prepare.js';
import { runProcesses } from './run-processes.js';
import { runThreads } from './run-threads.js';

/** @returns the exit status */
export function runPrepared(world: PreparedWorld): Promise<number> {
  const { processes } = world.settings;
  return processes === null ? runThreads(world) : runProcesses(world, processes);
}
