/** A thread of the pool: one rank of one world after the other. */

import { parentPort } from 'node:worker_threads';
import { failThreadWorld, init, release } from 'syncbn';
import { makePlan } from './plan.js';
import { thrown } from './report.js';
import { runRank } from './run-rank.js';
import type { PoolAnswer, PoolTask } from './thread-pool.js';

const port = parentPort!;
const answer = (message: PoolAnswer) => port.postMessage(message);

port.on('message', async ({ key, handle }: PoolTask) => {
  const plan = makePlan(key);
  const { report } = await runRank(plan, handle.rank, {
    join: () => init({ world: handle }),
    committed: (at) => answer({ kind: 'committed', at }),
    terminate: (delay) => answer({ kind: 'terminate', delay }),
  });
  const { error } = report;
  if (error !== null && plan.afterError === 'fails') {
    // As a launcher does for an error that nobody catches.
    failThreadWorld(handle, `rank ${handle.rank} failed: ${error.name}: ${error.message}`);
  }
  try {
    release();
  } catch (leaving) {
    report.leaveError = thrown(leaving);
  }
  answer({ kind: 'over', report });
});
answer({ kind: 'ready' });
