/** `launchProcesses` always settles with the true outcome, whatever its caller gets wrong. */

import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { launchFromEnvironment } from '../../src/group/mpi/environment.js';
import { launchProcesses, type ProcessLaunchOptions } from '../../src/launch/processes/index.js';
import { isRunning, Run, SYNCRUN, workspace } from '../launch/support.js';
import { freePort, startHost } from './hosts.js';
import { rankProgram } from './run.js';

const idle = { script: rankProgram('mpi-oddities'), args: ['idle'], workerNum: 2 };
const talking = { script: rankProgram('mpi-faults'), args: ['release'] };
const mine = () => {
  throw new Error('mine');
};

describe('a mistake in the options is an error before anything starts', () => {
  test.each([
    [{ script: 5 }, 'launch: script must be a path or a file: URL, got 5'],
    [{ script: '/nowhere/x.js' }, 'launch: there is no script /nowhere/x.js'],
    [{ script: new URL('https://x.org/a.js') }, 'launch: there is no script https://x.org/a.js'],
    [{ args: 5 }, 'launch: args must be an array of strings without NUL, got 5'],
    [{ args: [5] }, 'launch: args must be an array of strings without NUL, got [5]'],
    [{ args: ['a\0b'] }, 'launch: args must be an array of strings without NUL'],
    [{ clusterTimeOut: '3' }, 'launch: clusterTimeOut must be a number of seconds, got 3'],
    [{ grace: Number.NaN }, 'launch: grace must be a number of seconds, got NaN'],
    [{ signal: {} }, 'launch: signal must be an AbortSignal, got {}'],
    [{ prefix: 'nice' }, 'launch: prefix must be a function, got nice'],
    [{ env: { A: 5 } }, 'launch: env must be an object of strings, got {"A":5}'],
    [{ env: { 'A=B': 'x' } }, 'launch: env must be an object of strings'],
    [{ masterAddr: 5 }, 'launch: masterAddr must be a string, got 5'],
  ])('%o', async (options, text) => {
    await expect(launchProcesses({ ...idle, ...options } as ProcessLaunchOptions)).rejects.toThrow(
      text,
    );
  });
});

describe('what a callback throws ends the launch, and no rank is left', () => {
  test.each([
    ['prefix', { prefix: (local: number) => (local === 1 ? mine() : []) }, 'its start failed'],
    ['prefix, by what it returns', { prefix: () => 5 }, 'its start failed'],
    ['onStart', { onStart: mine }, 'onStart failed'],
    ['onOutput', { ...talking, onOutput: mine }, 'onOutput failed'],
    ['onOutput, later', { ...talking, onOutput: async () => mine() }, 'onOutput failed'],
  ])('%s', async (_where, options, text) => {
    const pids: number[] = [];
    const onStart = (_rank: number, pid: number) => void pids.push(pid);
    const all = { ...idle, onStart, ...options } as unknown as ProcessLaunchOptions;
    const error = await launchProcesses(all).then(
      () => null,
      (reason) => reason,
    );
    expect(error.message).toContain(text);
    expect(error.cause).toBeInstanceOf(Error);
    expect(error.exitCode).toBe(1);
    for (const pid of pids) expect(isRunning(pid)).toBe(false);
  });
});

test('too few descriptors are the reason, and no rank is left', () => {
  const program = `import { launchProcesses } from 'syncbn/launch';
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    const pids = [];
    const onStart = (rank, pid) => pids.push(pid);
    const options = { script: 'idle.mjs', workerNum: 40, onStart };
    await launchProcesses(options).catch(({ name, message }) => console.log(name, message));
    const left = pids.filter((pid) => { try { return process.kill(pid, 0); } catch { return false; } });
    console.log('left', left.length);`;
  const cwd = workspace({ 'a.mjs': program, 'idle.mjs': 'setInterval(() => {}, 1000);' });
  const words = ['-c', `ulimit -n 100; exec "${process.execPath}" a.mjs`];
  const { stdout, status } = spawnSync('bash', words, { cwd, encoding: 'utf8' });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^LaunchError launch: rank \d+ on host .*EMFILE/);
  expect(stdout).toContain('left 0\n');
  expect(stdout).not.toContain('uncaught');
});

describe('a master address that does not resolve', () => {
  test('is tried again until the time is over, on every node rank', async () => {
    const masterAddr = 'no-such-host.invalid';
    for (const nodeRank of [-1, 0, 1]) {
      const options = { ...idle, workerNum: 4, masterAddr, nodeRank, clusterTimeOut: 0.5 };
      const { error, notes } = await startHost(await freePort(), options);
      expect(error?.name).toBe('LaunchError');
      expect(error?.text).toMatch(/no-such-host\.invalid/);
      expect(error?.text).toMatch(/ENOTFOUND|EAI_AGAIN/);
      expect(notes.join()).toContain('trying again');
    }
  });

  test('is told by syncrun without a stack', async () => {
    const cwd = workspace({ 'a.mjs': '' });
    const options = [
      '--worker_num=2',
      '--local_worker_num=1',
      '--master_addr=no-such-host.invalid',
    ];
    const env = { ...process.env, SYNCBN_SECRET: 'a secret of the test, not of use' };
    const args = [...options, '--cluster_time_out=0.5', '--join', 'a.mjs'];
    const { code, stderr } = await new Run(cwd, args, SYNCRUN, env).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^syncrun: no world at no-such-host\.invalid:8118 within 0\.5 s: /m);
    expect(stderr).not.toContain('    at ');
  });
});

describe('srun', () => {
  const task = { SLURM_PROCID: '3', SLURM_STEP_NUM_TASKS: '8' };

  test('without PMI is refused, since each task would be a world of one', () => {
    expect(() => launchFromEnvironment(task)).toThrow(
      'init: srun started this process as task 3 of 8, without PMI, so that each would be a world of ' +
        'one; start them with: srun --mpi=pmix (or --mpi=pmi2 for MPICH)',
    );
  });

  test('with PMI, with a single task, and in a batch script is what it was', () => {
    expect(launchFromEnvironment({ ...task, PMIX_RANK: '3' })).toMatchObject({ rank: 3, size: 8 });
    expect(launchFromEnvironment({ ...task, SLURM_STEP_NUM_TASKS: '1' })).toBeNull();
    expect(launchFromEnvironment({ SLURM_PROCID: '0', SLURM_NTASKS: '8' })).toBeNull();
  });

  test('of which syncrun is the task leaves nothing to its ranks', async () => {
    const cwd = workspace({ 'a.mjs': "import { init } from 'syncbn'; await init();" });
    const env = { ...process.env, ...task };
    for (const launcher of ['threads', 'processes']) {
      const args = [`--launcher=${launcher}`, '--worker_num=2', '--join', 'a.mjs'];
      expect(await new Run(cwd, args, SYNCRUN, env).ended).toMatchObject({ code: 0, stderr: '' });
    }
  });
});
