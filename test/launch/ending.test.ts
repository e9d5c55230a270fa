/** Time to save a checkpoint: ranks are asked to end first, by a signal, and ended after the grace. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from 'syncbn/launch';
import { describe, expect, test } from 'vitest';
import { isRunning, Run, read, workspace } from './support.js';

/** Saves in a while when it is asked to by `event`; runs on until then. */
const saving = (event: string) => `import { appendFileSync, writeFileSync } from 'node:fs';
const name = process.env.RANK + '.txt';
process.on('${event}', async () => {
  writeFileSync(name, 'begun');
  if ('${event}' === 'exit') return;
  await new Promise((resolve) => setTimeout(resolve, 300));
  appendFileSync(name, ' and saved');
  process.exit(0);
});
console.log('ready');
setInterval(() => {}, 1000);`;

const start = (cwd: string, launcher: string, ...options: string[]) =>
  new Run(cwd, [`--launcher=${launcher}`, '--worker_num=2', '--join', ...options, 'a.mjs']);

describe.each(['threads', 'processes'])('on %s', (launcher) => {
  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('%s reaches handlers of the ranks, which may save', async (signal, status) => {
    const cwd = workspace({ 'a.mjs': saving(signal) });
    const run = start(cwd, launcher);
    await run.says('ready', 2);
    run.child.kill(signal);
    expect(await run.ended).toMatchObject({ code: status, stderr: '' });
    for (const rank of [0, 1]) expect(read(cwd, `${rank}.txt`)).toBe('begun and saved');
  });

  test('a rank that saves for longer than the grace is ended', async () => {
    const hanging = `process.on('SIGTERM', () => console.log('asked')); setInterval(() => {}, 1000);`;
    const cwd = workspace({ 'a.mjs': `${hanging} console.log('ready');` });
    const run = start(cwd, launcher, '--grace=0.4');
    await run.says('ready', 2);
    run.child.kill('SIGTERM');
    await run.says('asked', 2);
    expect(await run.ended).toMatchObject({ code: 143 });
    expect(isRunning(run.child.pid!)).toBe(false);
  });

  test('a second signal ends all at once', async () => {
    const hanging = `process.on('SIGTERM', () => console.log('asked')); setInterval(() => {}, 1000);`;
    const cwd = workspace({ 'a.mjs': `${hanging} console.log('ready');` });
    const run = start(cwd, launcher, '--grace=600');
    await run.says('ready', 2);
    run.child.kill('SIGTERM');
    await run.says('asked', 2);
    run.child.kill('SIGTERM');
    expect(await run.ended).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  test('ranks may save when another rank fails', async () => {
    const failing = `writeFileSync(process.env.RANK + '.ready', '');
      const { existsSync } = await import('node:fs');
      while (!existsSync('0.ready')) await new Promise((resolve) => setTimeout(resolve, 10));
      if (process.env.RANK === '1') throw new Error('boom');`;
    const cwd = workspace({ 'a.mjs': `${saving('SIGTERM')}\n${failing}` });
    const { code, stderr } = await start(cwd, launcher).ended;
    expect(code).toBe(1);
    expect(stderr).toContain('Error: boom');
    expect(read(cwd, '0.txt')).toBe('begun and saved');
    expect(existsSync(join(cwd, '1.txt'))).toBe(false);
  });
});

test('exit hooks of threads run when they are asked to end', async () => {
  const cwd = workspace({ 'a.mjs': saving('exit') });
  const run = start(cwd, 'threads');
  await run.says('ready', 2);
  run.child.kill('SIGTERM');
  expect(await run.ended).toMatchObject({ code: 143 });
  for (const rank of [0, 1]) expect(read(cwd, `${rank}.txt`)).toBe('begun');
});

describe('launch', () => {
  const scriptOf = (text: string) => join(workspace({ 'a.mjs': text }), 'a.mjs');

  test('stop with a grace lets the ranks save', async () => {
    const words: string[] = [];
    const script = scriptOf(`
      import { parentPort } from 'node:worker_threads';
      process.on('SIGTERM', () => { console.log('saved'); process.exit(0); });
      parentPort.postMessage('ready');
      setInterval(() => {}, 1000);`);
    let ready = 0;
    await new Promise<void>((resolve) => {
      const world = launch(script, {
        workerNum: 2,
        onOutput: (text) => words.push(text.trim()),
        onMessage: () => {
          ready++;
          if (ready === 2) world.stop({ grace: 20 }).then(resolve);
        },
      });
    });
    expect(words).toEqual(['saved', 'saved']);
  });

  test.each([
    ['onExit', 'mine'],
    ['onOutput', 'mine'],
    ['onMessage', 'mine'],
  ])('what %s throws is what done rejects with, and no rank is left', async (callback, message) => {
    const script = scriptOf(`
      import { parentPort } from 'node:worker_threads';
      console.log('ready');
      parentPort.postMessage('ready');
      if (process.env.RANK === '0') setInterval(() => {}, 1000);`);
    const exits: number[] = [];
    const fail = () => {
      throw new Error(message);
    };
    const options = { onExit: (rank: number) => exits.push(rank), [callback]: fail };
    const { done } = launch(script, { workerNum: 2, ...options });
    await expect(done).rejects.toThrow(message);
    if (callback !== 'onExit') expect(exits.sort()).toEqual([0, 1]);
  });

  test.each([
    { maxOldGenerationSizeMb: 1 },
    { maxOldGenerationSizeMb: 3, maxYoungGenerationSizeMb: 1 },
    { codeRangeSizeMb: 1 },
  ])('ranks without the memory to start, %j, fail or run, and never neither', (limits) => {
    const program = `import { launch } from 'syncbn/launch';
      const options = { workerNum: 2, output: 'ignore', resourceLimits: ${JSON.stringify(limits)} };
      const { done } = launch(new URL('./rank.mjs', import.meta.url), options);
      const ends = done.then((all) => all.map(({ result }) => result).join(), (e) => e.message);
      console.log(await ends);`;
    const rank = 'export const main = () => "ran";';
    const cwd = workspace({ 'a.mjs': program, 'rank.mjs': rank });
    const ended = spawnSync(process.execPath, ['a.mjs'], { cwd, encoding: 'utf8' });
    // From Node 24 on, V8 ends the whole process where a thread cannot have its memory.
    if (ended.signal !== null)
      expect(Number.parseInt(process.versions.node, 10)).toBeGreaterThan(23);
    else expect(ended.stdout).toMatch(/^(rank \d failed: .+|ran,ran)\n/);
  });

  test('a rank that dies while it records its failure has failed all the same', async () => {
    const script = scriptOf(`import { init } from 'syncbn';
      export async function main() {
        await init();
        if (process.env.RANK === '0') return;
        let text = 'the batch was: ' + 'x'.repeat(1000);
        while (text.length < 300e6) text += text;
        throw new Error(text);
      }`);
    const limits = { resourceLimits: { maxOldGenerationSizeMb: 64 } };
    const { done } = launch(script, { workerNum: 2, output: 'ignore', ...limits });
    await expect(done).rejects.toThrow(/^rank 1 failed: /);
  });

  test.each([
    ['Symbol("s")', 'rank 0 failed: Symbol(s)'],
    ['null', 'rank 0 failed: null'],
    ['undefined', 'rank 0 failed: undefined'],
    ['Object.create(null)', 'rank 0 failed: [Object: null prototype] {}'],
    [
      'new Proxy(new Error("x"), { get() { throw new Error("in the proxy"); } })',
      'rank 0 failed: ',
    ],
    ['Object.defineProperty(new Error("x"), "message", { get() { throw 1; } })', 'rank 0 failed: '],
  ])('a rank may throw %s', async (thrown, text) => {
    const script = scriptOf(`export const main = () => { throw ${thrown}; };`);
    const error = await launch(script, { workerNum: 1, output: 'ignore' }).done.catch((e) => e);
    expect(error.message).toContain(text);
  });
});
