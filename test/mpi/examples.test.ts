/** The reference pages' examples, unchanged, on two ranks of every launcher. */

import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { SYNCRUN, workspace } from '../launch/support.js';
import { MPICH, OPEN_MPI, run } from './run.js';

/** What the pages print, as the NumPy of today writes it. */
const PRINTED = {
  'global-batch-norm': `[[[[0.999995 0.999995]
   [0.999995 0.999995]]

  [[0.999995 0.999995]
   [0.999995 0.999995]]

  [[0.999995 0.999995]
   [0.999995 0.999995]]]]
`,
  'sync-batch-norm': `[[[[0.         0.33333167]
   [0.66666335 0.999995  ]]

  [[1.3333267  1.6666583 ]
   [1.99999    2.3333216 ]]]


 [[[2.6666534  2.999985  ]
   [3.3333166  3.6666484 ]]

  [[3.99998    4.333312  ]
   [4.666643   4.999975  ]]]]
`,
};

const node = [process.execPath, '--import', 'tsx'];
const LAUNCHERS: Record<string, () => readonly string[]> = {
  'mpirun of Open MPI': () => [...OPEN_MPI.command, '-n', '2', ...node],
  'mpiexec of MPICH': () => [...MPICH.command, '-n', '2', ...node],
  'syncrun --launcher=processes': () => [
    ...[process.execPath, SYNCRUN, '--launcher=processes', '--worker_num=2', '--join'],
    `--log_dir=${workspace()}`,
  ],
};

describe.each(Object.entries(PRINTED))('examples/%s.ts', (name, printed) => {
  test.each(Object.entries(LAUNCHERS))('under %s', async (_name, commandOf) => {
    const script = fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url));
    const [command, ...args] = commandOf();
    const { code, stdout, stderr } = await run(command, [...args, script], {}, 60);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: printed, stderr: '' });
  });
});
