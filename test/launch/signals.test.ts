/** Ctrl-C and its kin: every rank ends, whatever it does, and no process stays behind. */

import { describe, expect, test } from 'vitest';
import { isRunning, Run, read, workspace } from './support.js';

const WAYS = {
  'a blocking wait': 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);',
  'an endless loop': 'for (;;);',
  'an idle event loop': 'setInterval(() => {}, 1000);',
  'a collective': `const { createGroup, getRank, init } = await import('syncbn');
    await init();
    if (getRank() === 0) createGroup('all', [0, 1]).barrier().wait(); else for (;;);`,
};

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s', (signal, status) => {
  test.each(Object.entries(WAYS))('ends ranks in %s', async (_name, text) => {
    const cwd = workspace({ 'a.mjs': `console.log('ready'); ${text}` });
    const run = new Run(cwd, ['--worker_num=2', '--join', 'a.mjs']);
    await run.says('ready', 2);
    run.child.kill(signal);
    const { stdout, ...how } = await run.ended;
    expect(how).toEqual({ code: status, signal: null, stderr: '' });
    expect(stdout.split('\n').sort()).toEqual(['', '[0] ready', '[1] ready']);
    expect(isRunning(run.child.pid!)).toBe(false);
    expect(read(cwd, 'worker_1.log')).toBe(`ready\nsyncrun: ended by ${signal}\n`);
  });
});

test('a rank in native code, which Node cannot end, dies with the process', async () => {
  const cwd = workspace({
    'a.mjs': `import { execSync } from 'node:child_process';
      execSync('echo ready; exec sleep 4', { stdio: 'inherit' });`,
  });
  const run = new Run(cwd, ['--worker_num=1', '--join', 'a.mjs']);
  await run.says('ready', 1);
  run.child.kill('SIGINT');
  const ended = new Promise((resolve) => run.child.on('exit', (...how) => resolve(how)));
  expect(await ended).toEqual([null, 'SIGINT']);
});
