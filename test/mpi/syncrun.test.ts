/** syncrun with ranks that are processes, on this host: one syncrun, or two that meet over loopback. */

import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { coresOf, shares } from '../../src/launch/processes/cores.js';
import {
  backgroundOf,
  type Ended,
  isRunning,
  Run,
  read,
  SYNCRUN,
  until,
  workspace,
} from '../launch/support.js';
import { freePort } from './hosts.js';

const PROCESSES = '--launcher=processes';
const SUM = `
import { getGroupSize, getRank, init, createGroup } from 'syncbn';
await init();
const group = createGroup('all', Array.from({ length: getGroupSize() }, (_, rank) => rank));
const [sum] = group.allReduce(Float64Array.of(getRank() + 1)).wait();
console.log('rank', getRank(), 'of', getGroupSize(), 'sum', sum, ...process.argv.slice(2));
`;

const start = (cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  new Run(cwd, [PROCESSES, '--join', ...args], SYNCRUN, { ...process.env, ...env });

const syncrun = (cwd: string, ...args: string[]): Promise<Ended> => start(cwd, args).ended;

describe('on one host', () => {
  test('each rank writes a log, and the ranks of the tail to the console', async () => {
    const cwd = workspace({ 'a.mjs': SUM });
    const args = ['--worker_num=2', '--log_dir=logs', '--worker_log_name=job'];
    const ended = await syncrun(cwd, ...args, '--tail_worker_log=1', 'a.mjs', '-x', '--join');
    expect(ended).toMatchObject({ code: 0, stdout: 'rank 1 of 2 sum 3 -x --join\n', stderr: '' });
    for (const rank of [0, 1]) {
      expect(read(cwd, `logs/job_${rank}.log`)).toBe(`rank ${rank} of 2 sum 3 -x --join\n`);
    }
  });

  test.each(['.ts', '.mts', '.cts'])('a %s script runs', async (extension) => {
    const script = `script${extension}`;
    const cwd = workspace({ [script]: 'const n: number = 7;\nconsole.log(n satisfies number);\n' });
    const ended = await syncrun(cwd, '--worker_num=1', script);
    expect(ended).toMatchObject({ code: 0, stdout: '7\n', stderr: '' });
  });

  test.each([
    ["throw new TypeError('boom')", 1, 'failed with exit code 1', 'TypeError: boom'],
    ['process.exit(3)', 3, 'failed with exit code 3', 'exit code 3'],
    [
      "console.log('so far'); process.kill(process.pid, 'SIGKILL')",
      137,
      'ended by SIGKILL',
      'so far',
    ],
    // UCX would take it for the wish to be debugged, and stand still.
    [
      "console.log('so far'); process.kill(process.pid, 'SIGHUP')",
      129,
      'ended by SIGHUP',
      'so far',
    ],
    ["await import('./none.mjs')", 1, 'failed with exit code 1', 'Cannot find module'],
  ])('%s in a rank ends the world', async (failing, status, how, reason) => {
    const cwd = workspace({
      'a.mjs': `import { createGroup, getRank, init } from 'syncbn';
        await init();
        if (getRank() === 1) { ${failing} } else createGroup('all', [0, 1]).barrier().wait();`,
    });
    const { code, stderr } = await syncrun(cwd, '--worker_num=2', '--tail_worker_log=0', 'a.mjs');
    expect(code).toBe(status);
    expect(stderr).toContain(`syncrun: rank 1 on host ${hostname()} ${how}\n`);
    expect(stderr).toContain(`syncrun: the end of ${cwd}/worker_1.log:\n  `);
    expect(stderr).toContain(reason);
    expect(read(cwd, 'worker_1.log')).toContain(reason);
  });

  test('a rank that never joins the world fails those that wait for it', async () => {
    const cwd = workspace({
      'a.mjs': `import { init } from 'syncbn';
        if (process.env.PMI_RANK === '0') await init(); else setInterval(() => {}, 1000);`,
    });
    const { code, stderr } = await syncrun(
      cwd,
      '--worker_num=2',
      '--cluster_time_out=0.3',
      'a.mjs',
    );
    expect(code).toBe(1);
    expect(stderr).toBe(
      `syncrun: rank 1 on host ${hostname()} has not joined the world, and rank 0 has waited 0.3 s for it\n`,
    );
  });

  test('what a rank has started ends with it', async () => {
    const cwd = workspace({
      'a.mjs': `import { spawn } from 'node:child_process';
        console.log('child', spawn('sleep', ['1000'], { stdio: 'inherit' }).pid);
        setTimeout(() => process.exit(5), 100);`,
    });
    const { code, stdout } = await syncrun(cwd, '--worker_num=1', 'a.mjs');
    expect(code).toBe(5);
    expect(isRunning(Number(/child (\d+)/.exec(stdout)?.[1]))).toBe(false);
  });

  test.each([
    ['SIGINT', 130, 'for (;;);'],
    ['SIGTERM', 143, 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);'],
    ['SIGHUP', 129, "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);"],
  ] as const)('%s ends all ranks', async (signal, status, busy) => {
    const cwd = workspace({ 'a.mjs': `console.log('ready', process.pid); ${busy}` });
    const run = start(cwd, ['--worker_num=2', 'a.mjs']);
    await run.says('ready', 2);
    run.child.kill(signal);
    const { code, stdout, stderr } = await run.ended;
    expect({ code, stderr }).toEqual({ code: status, stderr: '' });
    for (const [, pid] of stdout.matchAll(/ready (\d+)/g))
      expect(isRunning(Number(pid))).toBe(false);
    expect(read(cwd, 'worker_1.log')).toContain(`syncrun: ended by ${signal}\n`);
  });

  test('ranks run on in the background, and end with its process', async () => {
    const cwd = workspace({ 'a.mjs': `${SUM} console.log('pid', process.pid); for (;;);` });
    const { code, stdout } = await syncrun(cwd, '--worker_num=2', '--join=False', 'a.mjs');
    expect(code).toBe(0);
    const background = backgroundOf(stdout);
    const log = () => (existsSync(`${cwd}/worker_1.log`) ? read(cwd, 'worker_1.log') : '');
    await until(() => isRunning(background) && /pid \d+\n/.test(log()));
    process.kill(background, 'SIGTERM');
    await until(() => !isRunning(background));
    expect(log()).toMatch(/^rank 1 of 2 sum 3\npid \d+\nsyncrun: ended by SIGTERM\n$/);
    expect(isRunning(Number(/pid (\d+)/.exec(log())?.[1]))).toBe(false);
  });

  test('a console that nobody reads holds nothing back but its rank', async () => {
    const text = `for (let i = 0; i < 50_000; i++) console.log('line', i, '${'x'.repeat(40)}');`;
    const cwd = workspace({ 'a.mjs': text });
    const run = start(cwd, ['--worker_num=1', 'a.mjs']);
    run.child.stdout?.pause();
    // All of it would be there by now if nothing held the rank back; the log is not held back less.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(run.child.exitCode).toBeNull();
    run.child.stdout?.resume();
    const { code, stdout } = await run.ended;
    expect(code).toBe(0);
    expect(stdout === read(cwd, 'worker_0.log')).toBe(true);
    expect(stdout.split('\n')).toHaveLength(50_001);
  });
});

describe('cores', () => {
  test('are shared out evenly among the ranks', () => {
    expect(coresOf('x:\t1\nCpus_allowed_list:\t0-2,5,8-9\n')).toEqual([0, 1, 2, 5, 8, 9]);
    expect(shares([0, 1, 2, 5, 8], 2)).toEqual([
      [0, 1],
      [2, 5, 8],
    ]);
  });

  test('are the ranks’ own with --bind_core', async () => {
    const count = Math.min(2, availableParallelism());
    const cwd = workspace({
      'a.mjs': `import { readFileSync } from 'node:fs';
        console.log(/Cpus_allowed_list:.*/.exec(readFileSync('/proc/self/status', 'utf8'))[0]);`,
    });
    const { code } = await syncrun(cwd, `--worker_num=${count}`, '--bind_core', 'a.mjs');
    expect(code).toBe(0);
    const lists = Array.from({ length: count }, (_, rank) =>
      coresOf(read(cwd, `worker_${rank}.log`)),
    );
    expect(lists.flat().length).toBeGreaterThan(0);
    expect(new Set(lists.flat()).size).toBe(lists.flat().length);
  });

  test.each([
    [['--worker_num=5000'], process.env.PATH, 'and --local_worker_num is 5000'],
    [['--worker_num=1'], '/nowhere', 'apt-get install util-linux'],
  ])('too few, or none to be had: %j', async (options, PATH, text) => {
    const cwd = workspace({ 'a.mjs': '' });
    const { code, stderr } = await start(cwd, [...options, '--bind_core', 'a.mjs'], { PATH }).ended;
    expect(code).toBe(2);
    expect(stderr).toContain(`syncrun: --bind_core=True needs`);
    expect(stderr).toContain(text);
  });
});

describe('two that meet over loopback', () => {
  const SECRET = 'a secret of the test, not of use';
  const several = (port: number, ...more: string[]) => [
    ...['--worker_num=2', '--local_worker_num=1', `--master_port=${port}`],
    ...['--cluster_time_out=20', ...more],
  ];

  test('the first makes a secret and shows it, and the second needs it', async () => {
    const cwd = workspace({ 'a.mjs': SUM });
    const port = await freePort();
    const first = start(cwd, several(port, '--node_rank=0', 'a.mjs'));
    const shown = await new Promise<string>((resolve) => {
      first.child.stderr?.on('data', (text) => {
        const secret = /export SYNCBN_SECRET=([0-9a-f]{32})/.exec(text)?.[1];
        if (secret !== undefined) resolve(secret);
      });
    });
    const ignorant = await syncrun(cwd, ...several(port, '--node_rank=1', 'a.mjs'));
    expect(ignorant.code).toBe(2);
    expect(ignorant.stderr).toContain('give the one that the first host shows');
    const env = { SYNCBN_SECRET: shown };
    const second = await start(cwd, several(port, '--node_rank=1', 'a.mjs'), env).ended;
    expect(second).toMatchObject({ code: 0, stdout: 'rank 1 of 2 sum 3\n', stderr: '' });
    expect(await first.ended).toMatchObject({ code: 0, stdout: 'rank 0 of 2 sum 3\n' });
  });

  test('a secret in a file, and a failure that both tell in the same words', async () => {
    const failing = `${SUM} if (getRank() === 1) throw new RangeError('no such batch'); group.barrier().wait();`;
    const cwd = workspace({ 'a.mjs': failing, secret: `${SECRET}\n` });
    const port = await freePort();
    const ends = await Promise.all(
      ['0', '1'].map((rank) =>
        syncrun(cwd, ...several(port, `--node_rank=${rank}`, '--secret_file=secret', 'a.mjs')),
      ),
    );
    for (const { code, stderr } of ends) {
      expect(code).toBe(1);
      expect(stderr).toContain(`syncrun: rank 1 on host ${hostname()} failed with exit code 1\n`);
      expect(stderr).toContain('RangeError: no such batch');
    }
  });

  test.each([0, 1])('Ctrl-C at node rank %i ends both', async (interrupted) => {
    const cwd = workspace({ 'a.mjs': `${SUM} for (;;) group.barrier().wait();` });
    const port = await freePort();
    const env = { SYNCBN_SECRET: SECRET };
    const runs = [0, 1].map((rank) =>
      start(cwd, several(port, `--node_rank=${rank}`, 'a.mjs'), env),
    );
    await Promise.all(runs.map((run) => run.says('sum', 1)));
    runs[interrupted].child.kill('SIGINT');
    const other = await runs[1 - interrupted].ended;
    expect(await runs[interrupted].ended).toMatchObject({ code: 130, stderr: '' });
    expect(other.code).toBe(130);
    expect(other.stderr).toBe(
      `syncrun: interrupted on host ${hostname()}, node rank ${interrupted}\n`,
    );
  });

  test('a host whose ranks never join the world fails the other', async () => {
    const cwd = workspace({
      'a.mjs': `import { init } from 'syncbn';
        if (process.env.PMI_RANK === '0') await init(); else setInterval(() => {}, 1000);`,
    });
    const options = several(await freePort(), '--cluster_time_out=5');
    const env = { SYNCBN_SECRET: SECRET };
    const ends = [0, 1].map(
      (rank) => start(cwd, [...options, `--node_rank=${rank}`, 'a.mjs'], env).ended,
    );
    for (const { code, stderr } of await Promise.all(ends)) {
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^syncrun: not all ranks of the host at .* have waited 5 s for them\n$/,
      );
    }
  });

  test('Ctrl-C while the others have not come', async () => {
    const cwd = workspace({ 'a.mjs': SUM });
    const port = await freePort();
    const env = { SYNCBN_SECRET: SECRET };
    for (const rank of [0, 1]) {
      const run = start(cwd, several(port, `--node_rank=${rank}`, 'a.mjs'), env);
      // From then on it handles signals.
      await until(() => readdirSync(cwd).some((name) => name.startsWith('.syncrun-')));
      run.child.kill('SIGINT');
      expect((await run.ended).code).toBe(130);
    }
  });

  test.each([
    [{ SYNCBN_SECRET: 'short' }, [], 'at least 16 characters in common, got one of 5'],
    [{}, ['--secret_file=none'], 'cannot read the secret: ENOENT'],
  ])('a secret that will not do: %j %j', async (env, options, text) => {
    const cwd = workspace({ 'a.mjs': SUM });
    const { code, stderr } = await start(cwd, [...several(1, ...options), 'a.mjs'], env).ended;
    expect(code).toBe(2);
    expect(stderr).toContain(text);
  });
});
