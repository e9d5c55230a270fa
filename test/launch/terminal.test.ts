/** What a terminal shows while ranks run, in a pseudo-terminal; and that nothing else gets any of it. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TerminalRun } from './screen.js';
import { read, SYNCRUN, syncrun, workspace } from './support.js';

/** Each rank says something, and ends when a file of its own is there. */
const SCRIPT = `import { existsSync } from 'node:fs';
const { RANK } = process.env;
process.stdout.write('loss 0.' + RANK + ' \\x1b[31m' + 'x'.repeat(60) + '\\x1b[0m\\n');
while (!existsSync('go' + RANK)) await new Promise((resolve) => setTimeout(resolve, 20));
if (RANK === '1' && process.argv[2] === 'fail') throw new TypeError('the batch is empty');
console.log('end ' + RANK);
`;
const WIDE = `${'x'.repeat(40)}`;

describe.each(['threads', 'processes'])('on %s', (launcher) => {
  const words = (...more: string[]) =>
    [process.execPath, SYNCRUN, `--launcher=${launcher}`, '--worker_num=2', '--join', ...more].join(
      ' ',
    );

  test('a terminal shows how many ranks are up, for how long, and the last line of each', async () => {
    const cwd = workspace({ 'a.mjs': SCRIPT });
    const run = new TerminalRun(cwd, words('--tail_worker_log=0', 'a.mjs'));
    // Rank 0's own line, which the terminal wraps; then the block, which it cuts.
    await run.shows(
      /^loss 0\.0 x{31}\nx{29}\nsyncrun: 2 of 2 ranks up, \d+ s\n\[0\] loss 0\.0 x{27}\n\[1\] loss 0\.1 x{27}\n$/,
    );
    await run.shows(/ up, 1 s\n/);
    writeFileSync(join(cwd, 'go1'), '');
    await run.shows(/\nsyncrun: 1 of 2 ranks up, 1 ended, \d+ s\n\[0\] loss.*\n\[1\] end 1\n$/);
    writeFileSync(join(cwd, 'go0'), '');
    expect(await run.ended).toBe(0);
    expect(run.screen).toBe(`loss 0.0 ${WIDE.slice(9)}\n${WIDE.slice(11)}\nend 0\n`);
    expect(read(cwd, 'worker_1.log')).toContain('\x1b[31mxx');
  });

  test('the words of a failure stand alone', async () => {
    const cwd = workspace({ 'a.mjs': SCRIPT, go1: '' });
    const run = new TerminalRun(cwd, words('--grace=0', 'a.mjs', 'fail'));
    expect(await run.ended).toBe(1);
    expect(run.screen).toMatch(/^syncrun: rank 1 /m);
    expect(run.screen).toContain('TypeError: the batch is empty');
    expect(run.screen).not.toContain('ranks up');
  });

  test('a file gets the ranks’ lines alone, and the terminal the block', async () => {
    const cwd = workspace({ 'a.mjs': SCRIPT });
    const run = new TerminalRun(cwd, `${words('a.mjs')} > out`);
    await run.shows(/^syncrun: 2 of 2 ranks up, \d+ s\n\[0\] loss.*\n\[1\] loss.*\n$/);
    for (const name of ['go0', 'go1']) writeFileSync(join(cwd, name), '');
    expect(await run.ended).toBe(0);
    expect(run.screen).toBe('');
    expect(read(cwd, 'out').match(/^\[[01]\] (loss|end).*$/gm)).toHaveLength(4);
    expect(read(cwd, 'out')).not.toContain('ranks up');
  });

  test('without a terminal, lines are plain', async () => {
    const cwd = workspace({ 'a.mjs': SCRIPT, go0: '', go1: '' });
    const { code, stdout, stderr } = await syncrun(cwd, ...words('a.mjs').split(' ').slice(2));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const colour = `\x1b[31m${'x'.repeat(60)}\x1b[0m`;
    const lines = [0, 1].flatMap((r) => [`[${r}] loss 0.${r} ${colour}`, `[${r}] end ${r}`]);
    expect(stdout.trim().split('\n').sort()).toEqual(lines.sort());
  });
});

test('Ctrl-C takes the block away', async () => {
  const cwd = workspace({ 'a.mjs': SCRIPT });
  const command = [process.execPath, SYNCRUN, '--worker_num=2', '--join', 'a.mjs'].join(' ');
  const run = new TerminalRun(cwd, command);
  await run.shows(/2 of 2 ranks up.*\n\[0\] loss.*\n\[1\] loss.*\n$/);
  run.child.stdin?.write('\x03');
  expect(await run.ended).toBe(130);
  expect(run.screen).not.toContain('ranks up');
});
