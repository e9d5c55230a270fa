/** A part of `npm run fuzz` with a fixed seed; see docs/reliability.md for the whole. */

import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run } from '../mpi/run.js';

const MAIN = fileURLToPath(new URL('../../build/test/fuzz/main.js', import.meta.url));

test('30,000 public calls with odd arguments: no error of another kind, no wrong result', async () => {
  const { code, stdout } = await run(process.execPath, [MAIN, '--runs', '30000'], {}, 60);
  expect(stdout).toMatch(/^\d+ calls, \d+ runs in .*: 0 faults$/m);
  expect(code).toBe(0);
}, 70_000);
