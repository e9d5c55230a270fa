/** A rank that `launch` starts. */

import { parentPort } from 'node:worker_threads';
import { createGroup, init, release } from 'syncbn';
import type { LaunchedTask } from './launched-threads.js';
import { makePlan } from './plan.js';
import { writeReport } from './report.js';
import { runRank } from './run-rank.js';

export async function main({ key, rank, slot }: LaunchedTask): Promise<void> {
  const plan = makePlan(key);
  const { report, error } = await runRank(plan, rank, {
    join: async () => {
      await init();
      // A deadline must not run while another rank still loads its modules.
      const all = Array.from({ length: plan.program.size }, (_, member) => member);
      createGroup('start', all).barrier({ timeout: 20 }).wait();
    },
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
