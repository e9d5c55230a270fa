/** A part of `npm run faults` with a fixed seed; see docs/reliability.md for the whole. */

import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run } from '../mpi/run.js';

const MAIN = fileURLToPath(new URL('../../build/test/faults/main.js', import.meta.url));
// Other tests may crowd the cores, hence the slack.
const SLACK = ['--slack', '5000'];

test('120 random worlds of threads with a fault each: every promise holds', async () => {
  const options = ['--seed', '1', '--worlds', '120', '--parallel', '4', ...SLACK];
  const { code, stdout } = await run(process.execPath, [MAIN, ...options], {}, 110);
  expect(stdout).toMatch(/^120 worlds over threads in .* s: 0 violations in 0 worlds$/m);
  expect(code).toBe(0);
}, 120_000);

test.each(['mpich', 'openmpi'])(
  'the same of 10 worlds of processes, %s',
  async (carrier) => {
    const options = ['--seed', '1', '--worlds', '10', '--carrier', carrier, ...SLACK];
    const { code, stdout } = await run(process.execPath, [MAIN, ...options], {}, 110);
    expect(stdout).toMatch(new RegExp(`^10 worlds over ${carrier} in .* s: 0 violations`, 'm'));
    expect(code).toBe(0);
  },
  120_000,
);

test('a violation prints the seed that repeats it, and is the exit status', async () => {
  // A deadline of the harness that nobody can meet makes one of every world.
  const options = ['--seed', '5', '--worlds', '1', '--fault', 'throw', '--slack', '-1e9'];
  const { code, stdout } = await run(process.execPath, [MAIN, ...options], {}, 60);
  expect(stdout).toMatch(
    /^npm run faults -- --seed 5 --worlds 1 --carrier threads --fault 'throw'$/m,
  );
  expect(stdout).toMatch(/^ {4}throw: rank \d: -?\d+ ms late/m);
  expect(code).toBe(1);
}, 60_000);
