/** What ranks may say to their launcher, and who may read the hosts' secret. */

import { chmodSync } from 'node:fs';
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
