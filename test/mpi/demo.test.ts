/** The demo, unchanged, on four ranks of every launcher: the same losses to the last bit. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SYNCRUN, workspace } from '../launch/support.js';
import { MPICH, OPEN_MPI, type Outcome, run } from './run.js';
import { syncrunOnHosts } from './syncrun-hosts.js';

const STEPS = 20;
const DEMO = fileURLToPath(new URL('../../examples/digits/main.ts', import.meta.url));
const node = [process.execPath, '--import', 'tsx'];
const syncrun = (folder: string) => [process.execPath, SYNCRUN, '--join', `--log_dir=${folder}`];

type Start = (demo: readonly string[], folder: string) => Promise<Outcome>;
const command = ([program, ...args]: readonly string[]) => run(program, args, {}, 90);
const LAUNCHERS: Record<string, Start> = {
  'four threads of its own': (demo) => command([...node, ...demo]),
  'mpirun of Open MPI': (demo) => command([...OPEN_MPI.command, '-n', '4', ...node, ...demo]),
  'mpiexec of MPICH': (demo) => command([...MPICH.command, '-n', '4', ...node, ...demo]),
  'syncrun --launcher=processes': (demo, folder) =>
    command([...syncrun(folder), '--launcher=processes', '--worker_num=4', ...demo]),
  'syncrun on two hosts': (demo, folder) => syncrunOnHosts(2, 2, demo, folder),
};

/** Each run's losses as the bytes of their float64 numbers; JSON keeps each one to the last bit. */
function lossBytes(file: string): string[][] {
  const { runs } = JSON.parse(readFileSync(file, 'utf8')) as { runs: { losses: number[] }[] };
  const bytesOf = (loss: number) => Buffer.from(Float64Array.of(loss).buffer).toString('hex');
  return runs.map(({ losses }) => losses.map(bytesOf));
}

test('the demo has the same synchronized losses on threads and over MPI, bit for bit', async () => {
  const folder = workspace();
  const results: Record<string, string[]> = {};
  for (const [launcher, start] of Object.entries(LAUNCHERS)) {
    const [json, report] = [join(folder, 'runs.json'), join(folder, 'report.html')];
    const options = ['--only=synchronized', `--steps=${STEPS}`, '--digits=100'];
    const demo = [DEMO, ...options, `--report=${report}`, `--json=${json}`];
    const { code, stdout, stderr } = await start(demo, folder);
    expect(code, `${launcher}: ${stderr}`).toBe(0);
    expect(stdout, launcher).toMatch(/│ 4 ranks, synchronized │/);
    [results[launcher]] = lossBytes(json);
  }
  const [first, ...others] = Object.entries(results);
  expect(first[1]).toHaveLength(STEPS);
  for (const [launcher, losses] of others) expect(losses, launcher).toEqual(first[1]);
}, 300_000);

test('--reproducible has the same losses on 1, 2 and 4 ranks, threads and processes alike', async () => {
  const folder = workspace();
  const all: Record<string, string[][]> = {};
  for (const launcher of ['four threads of its own', 'mpirun of Open MPI', 'mpiexec of MPICH']) {
    const [json, report] = [join(folder, 'runs.json'), join(folder, 'report.html')];
    const options = ['--reproducible', '--steps=3', '--digits=50', '--batch-size=5'];
    const demo = [DEMO, ...options, `--report=${report}`, `--json=${json}`];
    const { code, stdout, stderr } = await LAUNCHERS[launcher](demo, folder);
    expect(code, `${launcher}: ${stderr}`).toBe(0);
    expect(stdout, launcher).toContain('the same to the last bit');
    all[launcher] = lossBytes(json);
  }
  const [first] = Object.values(all);
  expect(first[0]).toHaveLength(3);
  for (const [launcher, runs] of Object.entries(all)) {
    for (const losses of runs) expect(losses, launcher).toEqual(first[0]);
    expect(runs, launcher).toHaveLength(3);
  }
}, 300_000);
