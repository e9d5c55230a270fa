/** Signals that nobody handles, in all kinds of worlds; `npm run faults -- kills` has more of them. */

import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run } from './run.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/kills.ts', import.meta.url));

test('ten random kills end in the true status, name the victim and leave nothing behind', async () => {
  const args = ['--import', 'tsx', SCRIPT, '10', '1'];
  const { code, stdout, stderr } = await run(process.execPath, args, {}, 170);
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^10 kills, 0 problems; /),
    stderr: '',
  });
}, 180_000);
