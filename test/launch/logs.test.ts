/** Logs under adverse conditions: full disks, links, other jobs, too few descriptors. */

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ended, Run, read, SYNCRUN, syncrun, workspace } from './support.js';

/** Runs a script of bash in which mounts are its own; `$NODE` and `$SYNCRUN` are set. */
function shell(cwd: string, script: string): Promise<Ended> {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const env = { ...process.env, NODE: process.execPath, SYNCRUN };
  const child = spawn('unshare', [...user, '--mount', 'bash', '-c', script], { cwd, env });
  const texts = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (text) => {
      texts[stream] += text;
    });
  }
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, ...texts }));
  });
}

describe.each(['threads', 'processes'])('on %s', (launcher) => {
  test.each([
    ['', 0],
    // When all is written: node loses what a pipe has no room for.
    ['process.stdout.write("", () => { throw new Error("boom"); });', 1],
  ])('a full disk is told of once, and ends nothing (%s)', async (failing, status) => {
    const text = `for (let i = 0; i < 2000; i++) console.log('line', i, 'x'.repeat(100));
      ${failing}`;
    const cwd = workspace({ 'a.mjs': text });
    const command = `$NODE $SYNCRUN --launcher=${launcher} --worker_num=1 --join --log_dir=logs a.mjs`;
    const full = `mkdir logs && mount -t tmpfs -o size=64k none logs && ${command}`;
    const { code, stdout, stderr } = await shell(cwd, full);
    expect(code).toBe(status);
    expect(stdout.split('\n')).toHaveLength(2001);
    expect(
      stderr.match(/^syncrun: .*worker_\d\.log is not written any more: ENOSPC/gm),
    ).toHaveLength(1);
    if (failing !== '') expect(stderr).toContain('Error: boom');
  });

  test('a job’s logs are its own while it runs, and free when it has ended', async () => {
    const cwd = workspace({ 'a.mjs': "console.log('first'); setInterval(() => {}, 1000);" });
    const args = [`--launcher=${launcher}`, '--worker_num=1', '--join'];
    const first = new Run(cwd, [...args, 'a.mjs']);
    await first.says('first', 1);
    writeFileSync(join(cwd, 'b.mjs'), "console.log('second');");
    for (const join of ['True', 'False']) {
      const { code, stderr } = await syncrun(cwd, ...args, `--join=${join}`, 'b.mjs');
      expect(code).toBe(2);
      expect(stderr).toContain(
        `process ${first.child.pid} runs ${cwd}/a.mjs and writes its logs there`,
      );
    }
    const beside = await syncrun(cwd, ...args, '--worker_log_name=other', 'b.mjs');
    expect(beside.code).toBe(0);
    expect(read(cwd, 'worker_0.log')).toBe('first\n');
    first.child.kill('SIGKILL');
    await first.ended;
    expect((await syncrun(cwd, ...args, 'b.mjs')).code).toBe(0);
    expect(read(cwd, 'worker_0.log')).toBe('second\n');
    expect(readdirSync(cwd).filter((name) => name.startsWith('.syncrun'))).toEqual([]);
  });

  test('logs of an earlier and larger world are removed, and others are not', async () => {
    const old = { 'worker_1.log': 'old', 'worker_7.log': 'old', 'worker_x.log': 'mine' };
    const cwd = workspace({ 'a.mjs': '', ...old, 'other_7.log': 'mine' });
    await syncrun(cwd, `--launcher=${launcher}`, '--worker_num=1', '--join', 'a.mjs');
    const left = readdirSync(cwd).filter((name) => name.endsWith('.log'));
    expect(left.sort()).toEqual(['other_7.log', 'worker_0.log', 'worker_x.log']);
  });

  test('a log that is a link does not lead to its target', async () => {
    const cwd = workspace({ 'a.mjs': "console.log('out');", precious: 'precious' });
    symlinkSync(join(cwd, 'precious'), join(cwd, 'worker_0.log'));
    symlinkSync(join(cwd, 'precious'), join(cwd, 'syncrun.log'));
    const args = [`--launcher=${launcher}`, '--worker_num=1'];
    await syncrun(cwd, ...args, '--join', 'a.mjs');
    await syncrun(cwd, ...args, '--join=False', 'a.mjs');
    expect(read(cwd, 'precious')).toBe('precious');
    expect(read(cwd, 'worker_0.log')).toBe('out\n');
  });

  test('too few open files are an error that says how many', async () => {
    const cwd = workspace({ 'a.mjs': '' });
    const command = `$NODE $SYNCRUN --launcher=${launcher} --worker_num=500 --join a.mjs`;
    const { code, stderr } = await shell(cwd, `ulimit -n 200; ${command}`);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        'syncrun: 500 ranks need some 3040 open files here, and this shell allows 200; ' +
        'raise it with: ulimit -n 3040\n',
    });
  });
});

test('characters that a pipe cuts in two are whole in the tail of a failure', async () => {
  const text = `for (let i = 0; i < 2000; i++) process.stdout.write('é日本🎉'.repeat(50) + '\\n');
    process.exit(3);`;
  const cwd = workspace({ 'a.mjs': `if (process.env.RANK === '1') { ${text} }` });
  const args = ['--launcher=processes', '--worker_num=2', '--join', '--tail_worker_log=0'];
  const { code, stderr } = await syncrun(cwd, ...args, 'a.mjs');
  expect(code).toBe(3);
  expect(stderr).toContain('é日本🎉');
  expect(stderr).not.toContain('\ufffd');
});

test('what processes and their children write to descriptor 1 goes into the logs', async () => {
  const text = `import { spawnSync } from 'node:child_process';
    import { writeSync } from 'node:fs';
    writeSync(1, 'by descriptor\\n');
    spawnSync('echo', ['by a child'], { stdio: 'inherit' });`;
  const cwd = workspace({ 'a.mjs': text });
  const args = ['--launcher=processes', '--worker_num=1', '--join', 'a.mjs'];
  expect((await syncrun(cwd, ...args)).code).toBe(0);
  expect(read(cwd, 'worker_0.log')).toBe('by descriptor\nby a child\n');
});

test('bytes that are no text reach the console and the log as they are', async () => {
  const cwd = workspace({
    'a.mjs': 'process.stdout.write(Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3, 10]));',
  });
  await syncrun(cwd, '--worker_num=1', '--join', 'a.mjs');
  const bytes = [...readFileSync(join(cwd, 'worker_0.log'))];
  expect(bytes).toEqual([0xff, 0xfe, 0x00, 0x80, 0xc3, 10]);
});

test('a small /dev/shm is the reason that is told', async () => {
  const cwd = workspace({ 'a.mjs': "import { init } from 'syncbn'; await init();" });
  const command = '$NODE $SYNCRUN --launcher=processes --worker_num=4 --join a.mjs';
  const { code, stderr } = await shell(cwd, `mount -t tmpfs -o size=4m none /dev/shm; ${command}`);
  expect(code).toBeGreaterThan(0);
  expect(stderr).toContain('/dev/shm has 4 MiB, and 4 ranks need some 20');
  expect(stderr).toContain('UCX_TLS=tcp,self');
});
