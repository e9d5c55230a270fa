/** A rank that `launch` starts. */

import { parentPort } from 'node:worker_threads';
import { init, release } from 'syncbn';
import type { LaunchedTask } from './launched-threads.js';
import { makePlan } from './plan.js';
import { writeReport } from './report.js';
import { runRank } from './run-rank.js';

export async function main({ key, rank, slot }: LaunchedTask): Promise<void> {
  const plan = makePlan(key);
  const { report, error } = await runRank(plan, rank, {
    join: () => init(),
    committed: (at) => parentPort!.postMessage(at),
    terminate: () => {
      throw new Error('nobody can end one rank of a launch from outside');
    },
  });
  writeReport(slot, report);
  if (report.error === null) return;
  if (plan.afterError === 'fails') throw error;
  release();
}
