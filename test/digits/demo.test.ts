/** The demo itself, small: why one synchronizes, and what it leaves behind. */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { Run } from '../../examples/digits/run.js';
import { SYNCRUN, workspace } from '../launch/support.js';

const DEMO = fileURLToPath(new URL('../../examples/digits/main.ts', import.meta.url));

it('learns with two samples a rank when synchronized, and hardly when each rank is alone', async () => {
  const folder = workspace();
  const file = (name: string) => join(folder, name);
  const small = ['--digits=1000', '--steps=100', '--batch-size=4'];
  const outputs = [`--json=${file('runs.json')}`, `--chart=${file('accuracy.svg')}`];
  const words = [DEMO, ...small, `--report=${file('report.html')}`, ...outputs];
  const options = ['--worker_num=2', '--join', `--log_dir=${folder}`];
  const command = [SYNCRUN, ...options, ...words];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  expect(stdout).toMatch(/│ 2 ranks, each alone/);

  const json = JSON.parse(readFileSync(file('runs.json'), 'utf8'));
  const { runs, speeds } = json as { runs: Run[]; speeds: Run[] };
  const [one, synchronized, alone] = runs.map(({ accuracies }) => accuracies.at(-1)!.accuracy);
  expect(Math.abs(synchronized - one)).toBeLessThan(0.05);
  // 60 % and 17 % were seen.
  expect(synchronized - alone).toBeGreaterThan(0.3);
  expect(speeds.map(({ ranks }) => ranks)).toEqual([1, 2]);
  for (const { name, stepSeconds } of [...runs, ...speeds]) {
    expect(stepSeconds, name).toBeGreaterThan(0);
  }
  expect(readFileSync(file('report.html'), 'utf8')).toContain('Samples a second by ranks');
  expect(readFileSync(file('accuracy.svg'), 'utf8')).toContain('2 ranks, synchronized');
}, 300_000);
