/** A rank that mpirun starts. */

import { spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { getRank, init, release } from 'syncbn';
import { makePlan, type PlanKey } from './plan.js';
import { FILES } from './processes.js';
import { runRank } from './run-rank.js';

const { key, folder } = JSON.parse(process.env.SYNCBN_FAULTS!) as { key: PlanKey; folder: string };

/** Whole or not at all: the process may be ended at any moment. */
function write(path: string, value: unknown): void {
  writeFileSync(`${path}.part`, JSON.stringify(value));
  renameSync(`${path}.part`, path);
}

const plan = makePlan(key);
await init({ timeout: plan.timeout });
const rank = getRank();
const { report, error } = await runRank(plan, rank, {
  join: async () => {},
  committed: (at) => write(FILES.fault(folder), at),
  terminate: (delay) => {
    const command = `sleep ${delay / 1000}; kill -9 ${process.pid}`;
    spawn('sh', ['-c', command], { stdio: 'ignore', detached: true }).unref();
  },
});
write(FILES.report(folder, rank), report);
if (report.error !== null && plan.afterError === 'fails') throw error;
if (report.error !== null) release();
