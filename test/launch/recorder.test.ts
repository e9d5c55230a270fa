/** The flight recorder: what a stalled world leaves behind, and what it is made to say. */

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Run, read, syncrun, until, workspace } from './support.js';

const PREPARE = `import { createGroup, getProcessGroupRanks, getRank, init } from 'syncbn';
await init({ timeout: 1 });
const all = createGroup('all', getProcessGroupRanks());
const label = "SyncBatchNorm 'bn2'";
for (let i = 0; i < 300; i++) all.allReduce(new Float64Array(129), { label: i === 299 ? label : '' }).wait();
`;

describe.each(['threads', 'processes'])('on %s', (launcher) => {
  const args = [`--launcher=${launcher}`, '--worker_num=3', '--join', '--grace=1'];

  test('a rank that stands still is named with the call that the others wait in', async () => {
    const text = `${PREPARE}
      if (getRank() === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
      else all.allReduce(new Float64Array(129), { label }).wait();`;
    const cwd = workspace({ 'a.mjs': text });
    const { code, stderr } = await syncrun(cwd, ...args, 'a.mjs');
    expect(code).toBe(1);
    expect(stderr).toContain(`syncrun --analyze ${cwd}/worker_*.record.json`);
    const records = readdirSync(cwd).filter((name) => name.endsWith('.record.json'));
    expect(records).toContain('worker_0.record.json');
    const record = JSON.parse(read(cwd, 'worker_0.record.json'));
    expect(record.calls).toHaveLength(256);
    expect(record.calls.at(-1)).toMatchObject({
      ...{ group: 'all', number: 301, kind: 'allReduce', count: 129, label: "SyncBatchNorm 'bn2'" },
    });
    const { stdout } = await syncrun(cwd, '--analyze', ...records);
    expect(stdout).toMatch(
      /^rank 0 stood in allReduce #301 of SyncBatchNorm 'bn2' with 129 elements in group 'all' for 1\.\d s/m,
    );
    expect(stdout).toMatch(/^rank 1 (left no record|.*its last, allReduce #300)/m);
  });

  test('ranks that call different things are told with both calls', async () => {
    const text = `${PREPARE}
      if (getRank() === 2) all.barrier().wait();
      else all.allReduce(new Float64Array(7)).wait();`;
    const cwd = workspace({ 'a.mjs': text });
    expect((await syncrun(cwd, ...args, 'a.mjs')).code).toBe(1);
    const records = readdirSync(cwd).filter((name) => name.endsWith('.record.json'));
    const { stdout } = await syncrun(cwd, '--analyze', ...records);
    expect(stdout).toContain(
      "called allReduce #301 with 7 elements in group 'all', rank 2 barrier #301 in group 'all'",
    );
  });

  test('SIGUSR2 asks a world that runs, and it runs on', async () => {
    const text = `${PREPARE.replace('timeout: 1', 'timeout: 60')}
      console.log('ready');
      if (getRank() === 1) await new Promise((resolve) => {
        const timer = setInterval(async () => {
          const { existsSync } = await import('node:fs');
          if (!existsSync('go')) return;
          clearInterval(timer);
          resolve();
        }, 20);
      });
      all.barrier().wait();`;
    const cwd = workspace({ 'a.mjs': text });
    const run = new Run(cwd, [...args, 'a.mjs']);
    await run.says('ready', 3);
    run.child.kill('SIGUSR2');
    const paths = [0, 1, 2].map((rank) => join(cwd, `worker_${rank}.record.json`));
    await until(() => paths.every(existsSync));
    writeFileSync(join(cwd, 'go'), '');
    expect((await run.ended).code).toBe(0);
    const { stdout } = await syncrun(cwd, '--analyze', ...paths);
    expect(stdout).toMatch(/^rank 0 stood in barrier #301 in group 'all' for /m);
    expect(stdout).toMatch(/^rank 1 was in no collective; its last, allReduce #300/m);
    expect(stdout).toMatch(/^rank 1 had not come to barrier #301/m);
  });
});

test('--status says where the ranks of a job stand that runs, and the job runs on', async () => {
  const text = `${PREPARE.replace('timeout: 1', 'timeout: 60')}
    console.log('ready');
    const { existsSync } = await import('node:fs');
    const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
    if (getRank() === 1) while (!existsSync('go')) await pause();
    all.barrier().wait();`;
  const cwd = workspace({ 'a.mjs': text });
  const run = new Run(cwd, ['--worker_num=2', '--join', 'a.mjs']);
  await run.says('ready', 2);
  const { code, stdout } = await syncrun(cwd, '--status');
  expect(code).toBe(0);
  expect(stdout).toContain(`process ${run.child.pid} runs ${cwd}/a.mjs\n`);
  expect(stdout).toMatch(/^rank 0 stood in barrier #301 in group 'all' for /m);
  expect(stdout).toMatch(/^rank 1 was in no collective; its last, allReduce #300/m);
  writeFileSync(join(cwd, 'go'), '');
  expect((await run.ended).code).toBe(0);
  const after = await syncrun(cwd, '--status');
  expect(after.stdout).toBe(`no job of this host writes its logs to ${cwd}\n`);
  expect((await syncrun(cwd, '--status', '--log_dir=nowhere')).code).toBe(2);
});

test('files that are no records are an error', async () => {
  const cwd = workspace({ 'a.json': '{}' });
  for (const name of ['a.json', 'none.json']) {
    const { code, stderr } = await syncrun(cwd, '--analyze', name);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^syncrun: --analyze: .*(is not a record|cannot read)/);
  }
});
