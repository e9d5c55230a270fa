/** Runs of syncrun that end by themselves: output, logs, tails, failures, TypeScript. */

import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { backgroundOf, isRunning, Run, read, syncrun, until, workspace } from './support.js';

const SUM = `
import { getGroupSize, getRank, init, createGroup } from 'syncbn';
await init();
const group = createGroup('all', Array.from({ length: getGroupSize() }, (_, rank) => rank));
const [sum] = group.allReduce(Float64Array.of(getRank() + 1)).wait();
console.log('rank', getRank(), 'of', getGroupSize(), 'sum', sum, ...process.argv.slice(2));
`;

test('the command of MindSpore’s page runs a script on two ranks', async () => {
  const cwd = workspace({ 'test_syncbn.js': SUM });
  const line =
    '--worker_num=2 --local_worker_num=2 --master_port=8975 --log_dir=msrun_log --join=True ' +
    '--cluster_time_out=100 test_syncbn.js -s -v';
  const { code, stdout, stderr } = await syncrun(cwd, ...line.split(' '));
  const lines = ['rank 0 of 2 sum 3 -s -v', 'rank 1 of 2 sum 3 -s -v'];
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const shown = lines.map((text, rank) => `[${rank}] ${text}`);
  expect(stdout.trim().split('\n').sort()).toEqual(shown);
  expect(readdirSync(join(cwd, 'msrun_log')).sort()).toEqual(['worker_0.log', 'worker_1.log']);
  for (const [rank, text] of lines.entries()) {
    expect(read(cwd, `msrun_log/worker_${rank}.log`)).toBe(`${text}\n`);
  }
});

test('the tail shows the ranks that it names; logs are emptied and named as asked', async () => {
  const cwd = workspace({ 'a.mjs': SUM, 'job_0.log': 'old\n' });
  const args = [
    '--worker_num=3',
    '--join',
    '--tail_worker_log=2',
    '--worker_log_name=job',
    'a.mjs',
  ];
  const { stdout } = await syncrun(cwd, ...args);
  expect(stdout).toBe('rank 2 of 3 sum 6\n');
  expect(read(cwd, 'job_0.log')).toBe('rank 0 of 3 sum 6\n');
});

test.each(['.ts', '.mts', '.cts'])('a %s script runs', async (extension) => {
  const script = `script${extension}`;
  const cwd = workspace({
    [script]: 'const where: string = process.argv[1];\nconsole.log(where satisfies string);\n',
  });
  const { code, stdout, stderr } = await syncrun(cwd, '--worker_num=1', '--join', script);
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: `${join(cwd, script)}\n`,
    stderr: '',
  });
});

test('without tsx, a script that needs it is an error that says how to get it', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const alone = mkdtempSync(join(tmpdir(), 'syncbn-'));
  onTestFinished(() => rmSync(alone, { recursive: true }));
  cpSync(join(root, 'dist'), join(alone, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(alone, 'package.json'));
  writeFileSync(join(alone, 'view.tsx'), '');
  const run = new Run(alone, ['--join', 'view.tsx'], join(alone, 'dist/launch/syncrun/main.js'));
  const { code, stderr } = await run.ended;
  expect(code).toBe(2);
  expect(stderr).toContain('install it with: npm install --save-dev tsx');
});

test('a top-level await where tsx takes the script for CommonJS is explained', async () => {
  const cwd = workspace({ 'package.json': '{}', 'view.tsx': 'await null; export {};' });
  const { code, stderr } = await syncrun(cwd, '--worker_num=1', '--join', 'view.tsx');
  expect(code).toBe(1);
  expect(stderr).toContain('name the script .mts, or write "type": "module" into its package.json');
});

describe('logs', () => {
  test('hold output, errors, warnings and what was thrown, in order, before a rank blocks', async () => {
    const cwd = workspace({
      'a.mjs': `
        console.log('one'); console.error('two');
        process.stdout.write(Buffer.from('three\\n')); process.stderr.write('fo'); process.stderr.write('ur\\n');
        process.emitWarning('five');
        await null; await new Promise(setImmediate);
        console.log('six');
        process.nextTick(() => { throw new TypeError('seven'); });
      `,
    });
    const { code } = await syncrun(cwd, '--worker_num=1', '--join', 'a.mjs');
    expect(code).toBe(1);
    expect(read(cwd, 'worker_0.log')).toMatch(
      /^one\ntwo\nthree\nfour\n.*Warning: five\n(\(Use.*\n)?six\nrank 0 failed: TypeError: seven\n +at .*a\.mjs:7/,
    );
  });

  test('lose nothing to a full pipe, nor to a reader that leaves', async () => {
    const lines = 20_000;
    const text = `for (let i = 0; i < ${lines}; i++) console.log('line', i, '${'x'.repeat(40)}');`;
    const cwd = workspace({ 'a.mjs': text });
    const slow = new Run(cwd, ['--worker_num=1', '--join', 'a.mjs']);
    slow.child.stdout?.pause();
    await until(() => existsSync(join(cwd, 'worker_0.log')) && read(cwd, 'worker_0.log') !== '');
    slow.child.stdout?.resume();
    const { code, stdout } = await slow.ended;
    expect(code).toBe(0);
    expect(stdout).toBe(read(cwd, 'worker_0.log'));
    expect(stdout.split('\n').length).toBe(lines + 1);
    const deaf = new Run(cwd, ['--worker_num=1', '--join', 'a.mjs']);
    deaf.child.stdout?.destroy();
    expect((await deaf.ended).code).toBe(0);
    expect(read(cwd, 'worker_0.log')).toBe(stdout);
  });
});

describe('a rank that fails ends the world', () => {
  const blocked = "createGroup('pair', [0, 1]).barrier().wait();";
  test.each([
    ['throws', "throw new Error('boom')", blocked, 1, 'Error: boom'],
    [
      'rejects',
      "setInterval(() => {}, 1000); Promise.reject(new Error('boom'))",
      blocked,
      1,
      'Error: boom',
    ],
    ['exits', 'process.exit(3)', blocked, 3, 'exit code 3'],
    ['sets its exit code', 'process.exitCode = 4', blocked, 4, 'exit code 4'],
    ['cannot be read', "await import('./broken.mjs')", blocked, 1, 'SyntaxError'],
    ['throws beside a loop', "throw new Error('boom')", 'for (;;);', 1, 'Error: boom'],
  ])('when it %s', async (_how, failing, other, status, reason) => {
    const cwd = workspace({
      'broken.mjs': 'const = 1;',
      'a.mjs': `
        import { createGroup, getRank, init } from 'syncbn';
        await init();
        if (getRank() === 1) { ${failing} } else { ${other} }
      `,
    });
    const { code, stderr } = await syncrun(
      cwd,
      '--worker_num=2',
      '--join',
      '--tail_worker_log=0',
      'a.mjs',
    );
    expect(code).toBe(status);
    expect(stderr).toContain(`syncrun: rank 1 failed: ${reason}`);
    expect(stderr).toContain(
      `syncrun: the end of ${join(cwd, 'worker_1.log')}:\n  rank 1 failed: `,
    );
    expect(read(cwd, 'worker_1.log')).toContain(reason);
    if (other === blocked && status !== 4) {
      expect(read(cwd, 'worker_0.log')).toContain('RankFailedError: rank 1 failed: ');
    }
  });

  test('when a rank has not started in time', async () => {
    const cwd = workspace({ 'a.mjs': 'setInterval(() => {}, 1000);' });
    const args = ['--worker_num=2', '--join', '--cluster_time_out=0.001', 'a.mjs'];
    const { code, stderr } = await syncrun(cwd, ...args);
    expect(code).toBe(1);
    expect(stderr).toContain('rank 0 failed: ranks 0, 1 did not start within 0.001 s');
  });

  test('and one that handles its own errors does not', async () => {
    const cwd = workspace({
      'a.mjs': `process.on('uncaughtException', (error) => console.log('kept', error.message));
        setTimeout(() => console.log('went on'), 1); throw new Error('boom');`,
    });
    const { code, stdout } = await syncrun(cwd, '--worker_num=1', '--join', 'a.mjs');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'kept boom\nwent on\n' });
  });
});

describe('in the background', () => {
  test('ranks run on after syncrun has returned, and what fails is in the logs', async () => {
    const failing = "setTimeout(() => { throw new Error('later'); }, 1500);";
    const cwd = workspace({ 'a.mjs': `${SUM} if (getRank() === 1) ${failing}` });
    const { code, stdout, stderr } = await syncrun(
      cwd,
      '--worker_num=2',
      '--log_dir=logs',
      'a.mjs',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(join(cwd, 'logs', 'worker_{0..1}.log'));
    await until(() => !isRunning(backgroundOf(stdout)));
    expect(read(cwd, 'logs/worker_0.log')).toContain('rank 0 of 2 sum 3\n');
    expect(read(cwd, 'logs/worker_1.log')).toContain('rank 1 failed: Error: later');
    expect(read(cwd, 'logs/syncrun.log')).toContain('syncrun: rank 1 failed: Error: later');
  });

  test.each([
    ['threads', 'throw new TypeError("boom")', 'syncrun: rank 0 failed: TypeError: boom'],
    ['threads', 'const = 1', 'SyntaxError'],
    ['processes', 'throw new TypeError("boom")', 'TypeError: boom'],
    ['threads', 'process.exit(7)', 'syncrun: rank 0 failed: exit code 7'],
  ])('a script that fails at once on %s (%s) is told of', async (launcher, text, reason) => {
    const cwd = workspace({ 'a.mjs': text });
    const args = [`--launcher=${launcher}`, '--worker_num=1', '--join=False', 'a.mjs'];
    const { code, stdout, stderr } = await syncrun(cwd, ...args);
    expect({ code, stdout }).toEqual({ code: text.includes('7') ? 7 : 1, stdout: '' });
    expect(stderr).toContain(reason);
    expect(stderr).toContain(`their logs are ${join(cwd, 'worker_{0..0}.log')}`);
    expect(read(cwd, 'syncrun.log')).toContain(reason);
  });

  test('SIGTERM to its process ends them', async () => {
    const cwd = workspace({ 'a.mjs': "console.log('ready'); for (;;);" });
    const { stdout } = await syncrun(cwd, '--worker_num=1', '--join=False', 'a.mjs');
    const pid = backgroundOf(stdout);
    await until(() => read(cwd, 'worker_0.log') === 'ready\n');
    expect(isRunning(pid)).toBe(true);
    process.kill(pid, 'SIGTERM');
    await until(() => !isRunning(pid));
    expect(read(cwd, 'worker_0.log')).toBe('ready\nsyncrun: ended by SIGTERM\n');
  });
});
