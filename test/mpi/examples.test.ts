/** The reference pages' examples, unchanged, on two ranks of every launcher. */

import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SYNCRUN, workspace } from '../launch/support.js';
import { MPICH, OPEN_MPI, run } from './run.js';

/** mpirun and mpiexec put no rank in front of lines. */
const BARE = '--rank_prefix=False';
const node = [process.execPath, '--import', 'tsx'];
const LAUNCHERS: Record<string, () => readonly string[]> = {
  'mpirun of Open MPI': () => [...OPEN_MPI.command, '-n', '2', ...node],
  'mpiexec of MPICH': () => [...MPICH.command, '-n', '2', ...node],
  'syncrun --launcher=processes': () => [
    ...[process.execPath, SYNCRUN, '--launcher=processes', '--worker_num=2', '--join', BARE],
    `--log_dir=${workspace()}`,
  ],
};

test.each(['global-batch-norm', 'sync-batch-norm'])(
  'examples/%s.ts prints under every launcher what it prints on threads',
  async (name) => {
    const script = fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url));
    const threads = ['--worker_num=2', '--join', BARE, `--log_dir=${workspace()}`];
    const expected = await run(process.execPath, [SYNCRUN, ...threads, script], {}, 30);
    expect(expected.stdout).toMatch(/^\[\[\[\[.*\]\]\]\]\n$/s);
    for (const [launcher, commandOf] of Object.entries(LAUNCHERS)) {
      const [command, ...args] = commandOf();
      const { code, stdout, stderr } = await run(command, [...args, script], {}, 30);
      const { stdout: printed } = expected;
      expect({ code, stdout, stderr }, launcher).toEqual({ code: 0, stdout: printed, stderr: '' });
    }
  },
  100_000,
);
