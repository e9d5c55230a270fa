/** The demo, unchanged, on four ranks of every launcher: the same losses to the last bit. */

import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { twoAtATime } from '../harness/pairs.js';
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

/** The losses of the demo by launcher. Two run at a time: a start waits for disks and peers. */
function lossesOf(launchers: readonly string[], options: readonly string[], told: string) {
  const all = workspace();
  return twoAtATime(launchers, async (launcher) => {
    const folder = mkdtempSync(join(all, 'run-'));
    const [json, report] = [join(folder, 'runs.json'), join(folder, 'report.html')];
    const demo = [DEMO, ...options, `--report=${report}`, `--json=${json}`];
    const { code, stdout, stderr } = await LAUNCHERS[launcher](demo, folder);
    expect(code, `${launcher}: ${stderr}`).toBe(0);
    expect(stdout, launcher).toContain(told);
    return { launcher, runs: lossBytes(json) };
  });
}

test('the demo has the same synchronized losses on threads and over MPI, bit for bit', async () => {
  const options = ['--only=synchronized', `--steps=${STEPS}`, '--digits=100'];
  const told = '│ 4 ranks, synchronized │';
  const [first, ...others] = await lossesOf(Object.keys(LAUNCHERS), options, told);
  expect(first.runs[0]).toHaveLength(STEPS);
  for (const { launcher, runs } of others) expect(runs[0], launcher).toEqual(first.runs[0]);
}, 300_000);

test('--reproducible has the same losses on 1, 2 and 4 ranks, threads and processes alike', async () => {
  const launchers = ['four threads of its own', 'mpirun of Open MPI', 'mpiexec of MPICH'];
  const options = ['--reproducible', '--steps=3', '--digits=50', '--batch-size=5'];
  const all = await lossesOf(launchers, options, 'the same to the last bit');
  const [wanted] = all[0].runs;
  expect(wanted).toHaveLength(3);
  for (const { launcher, runs } of all) {
    for (const losses of runs) expect(losses, launcher).toEqual(wanted);
    expect(runs, launcher).toHaveLength(3);
  }
}, 300_000);
