/** What ranks may say to their launcher, and who may read the hosts' secret. */

import { chmodSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { Run, SYNCRUN, workspace } from '../launch/support.js';
import { freePort, SECRET } from './hosts.js';

describe('a rank that abuses its channel', () => {
  const run = (text: string) => {
    const cwd = workspace({
      'a.mjs': `import { writeSync } from 'node:fs';
        const say = (text) => writeSync(3, text);
        const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
        if (process.env.RANK === '0') { ${text} }
        wait(3000);`,
    });
    const args = ['--launcher=processes', '--worker_num=2', '--join', '--cluster_time_out=5'];
    return new Run(cwd, [...args, 'a.mjs']).ended;
  };

  test.each([
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '__defineGetter__',
    'reboot',
    '\\x1b[2J',
  ])('by the command %s is named', async (command) => {
    const { code, stderr } = await run(`say('cmd=${command}\\n');`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^syncrun: rank 0 on host .* sent its launcher a garbled line: "cmd=/);
    expect(stderr).not.toContain('\u001b');
  });

  test.each([
    ["put key=a value=' + 'x'.repeat(2000) + '", 'a value that is too long'],
    ["put key=' + 'k'.repeat(70) + ' value=x", 'a key that is too long'],
    ['put value=x', 'no key'],
  ])('by putting %s is named', async (command) => {
    const { code, stderr } = await run(`say('cmd=${command}\\n');`);
    expect(code).toBe(1);
    expect(stderr).toContain('sent its launcher a garbled line: "cmd=put');
  });

  test('by a flood of keys, or a line without end, is ended', async () => {
    const flood = `for (let i = 0; ; i++) {
      try { say('cmd=put kvsname=syncbn key=k' + i + ' value=v\\n'); } catch (e) { if (e.code !== 'EAGAIN') throw e; wait(1); }
    }`;
    const endless = `for (;;) { try { say('x'.repeat(1000)); } catch (e) { if (e.code !== 'EAGAIN') throw e; wait(1); } }`;
    for (const text of [flood, endless]) {
      const { code, stderr } = await run(text);
      expect(code).toBe(1);
      expect(stderr).toContain('sent its launcher a garbled line');
    }
  });

  test.each([
    ['256', 1],
    ['-1', 255],
    ['1e999', 1],
    ['1.5', 1],
    ['0', 1],
    ['4294967296', 1],
    ['7', 7],
  ])('by MPI_Abort(%s) ends the launch with status %i', async (exitCode, status) => {
    const { code } = await run(`say('cmd=abort exitcode=${exitCode}\\n');`);
    expect(code).toBe(status);
  });

  test('by keys with the names of an object’s own harms nobody', async () => {
    const { code } = await run(`say('cmd=put key=__proto__ value=x\\n'); process.exit(0);`);
    expect(code).toBe(0);
  });
});

describe('ranks inside MPI_Init', () => {
  const run = (rest: string) => {
    const args = ['--launcher=processes', '--worker_num=2', '--join', '--cluster_time_out=0.3'];
    return new Run(workspace(inMpiInit(rest)), [...args, 'a.mjs'], SYNCRUN).ended;
  };

  /** Ranks that have met, and are where MPI_Init goes on without the launcher. */
  const inMpiInit = (rest: string) => ({
    'a.mjs': `import { readSync, writeSync } from 'node:fs';
      const say = (line) => writeSync(3, 'cmd=' + line + '\\n');
      say('syncbn_init');
      say('barrier_in');
      for (let answer = ''; !answer.includes('barrier_out'); ) {
        const bytes = Buffer.alloc(64);
        try { answer += bytes.toString('utf8', 0, readSync(3, bytes)); } catch (e) { if (e.code !== 'EAGAIN') throw e; }
      }
      const isFirst = process.env.PMI_RANK === '0';
      ${rest}`,
  });

  test.each([
    [
      'that is stopped in MPI_Init is named',
      "if (isFirst) setInterval(() => {}, 1000); else process.kill(process.pid, 'SIGSTOP');",
      'rank 1 on host HOST is a stopped process in MPI_Init, for more than 0.3 s, and rank 0 with it',
    ],
    [
      'that stands still in MPI_Init is named, and not one that has come out of it',
      "if (isFirst) say('syncbn_ready'); setInterval(() => {}, 1000);",
      'rank 1 on host HOST stands still in MPI_Init, for more than 0.3 s',
    ],
  ])('a rank %s', async (_, rest, text) => {
    const { code, stderr } = await run(rest);
    expect(stderr).toBe(`syncrun: ${text.replace('HOST', hostname())}\n`);
    expect(code).toBe(1);
  });

  test('ranks that have come out of MPI_Init may take their time', async () => {
    const { code, stderr } = await run("say('syncbn_ready'); setTimeout(() => {}, 1700);");
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});

describe('secrets', () => {
  const several = [
    '--worker_num=2',
    '--local_worker_num=1',
    '--node_rank=0',
    '--cluster_time_out=1',
  ];

  test.each([
    [0o666, true],
    [0o640, true],
    [0o600, false],
  ])('in a file of mode %o', async (mode, warned) => {
    const cwd = workspace({ 'a.mjs': '', secret: SECRET });
    chmodSync(`${cwd}/secret`, mode);
    const port = await freePort();
    const options = [
      ...several,
      `--master_port=${port}`,
      '--secret_file=secret',
      '--join',
      'a.mjs',
    ];
    const { stderr } = await new Run(cwd, options, SYNCRUN).ended;
    const warning = `syncrun: others may read the secret in ${cwd}/secret; chmod 600 it\n`;
    expect(stderr.includes(warning)).toBe(warned);
  });
});
