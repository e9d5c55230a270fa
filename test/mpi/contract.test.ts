import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { describeTransport } from '../group/contract.js';
import { SYNCRUN } from '../launch/support.js';
import type { Report } from '../ranks/contract.js';
import { CARRIERS, MPICH, OPEN_MPI, type Outcome, rankProgram, run, runRanks } from './run.js';

const PROGRAM = rankProgram('mpi-contract');

/** The reports that the ranks have printed, once the launch has ended well. */
function reportsOf({ code, stdout, stderr }: Outcome, size: number): Report[] {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return Array.from({ length: size }, (_, rank) => {
    const [, text] = new RegExp(`^contract of rank ${rank}: (.*)$`, 'm').exec(stdout) ?? [];
    return JSON.parse(text ?? '{}');
  });
}

for (const family of [OPEN_MPI, MPICH]) {
  for (const { name, env, shares } of CARRIERS) {
    describeTransport(`processes of ${family.name}, frames ${name}`, async (size) => {
      const outcome = await runRanks(family, size, [PROGRAM], env, 200);
      const shared = [...outcome.stdout.matchAll(/0 failed, (\d) of (\d) groups share memory/g)];
      expect(shared.map(([, some]) => some)).toEqual(
        shared.map(([, , all]) => (shares ? all : '0')),
      );
      return reportsOf(outcome, size);
    });
  }
}

describeTransport(
  'processes of syncrun',
  async (size) => {
    // Runs before the tests that the reports become: nothing of a test's own is there to remove it.
    const folder = mkdtempSync(join(tmpdir(), 'syncbn-contract-'));
    const options = ['--launcher=processes', '--join', `--worker_num=${size}`];
    const output = ['--tail_worker_log=-1', '--rank_prefix=False', `--log_dir=${folder}`];
    try {
      const args = [SYNCRUN, ...options, ...output, PROGRAM];
      return reportsOf(await run(process.execPath, args, {}, 200), size);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  [1, 2, 3],
);
