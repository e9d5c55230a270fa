/** Scripts run on ranks as node runs them once: main guards, errors, TypeScript, variables, lines. */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ended, syncrun, workspace } from './support.js';

const LAUNCHERS = ['threads', 'processes'] as const;
type Launcher = (typeof LAUNCHERS)[number];

function run(launcher: Launcher, cwd: string, ranks: number, ...script: string[]): Promise<Ended> {
  return syncrun(cwd, `--launcher=${launcher}`, `--worker_num=${ranks}`, '--join', ...script);
}

/** Calls `failing` on all ranks of a world at once. */
const together = (
  failing: string,
) => `import { createGroup, getProcessGroupRanks, init } from 'syncbn';
await init();
createGroup('all', getProcessGroupRanks()).barrier().wait();
${failing}`;

describe.each(LAUNCHERS)('on %s', (launcher) => {
  test.each([
    ['a.cjs', 'console.log(require.main === module, process.argv[1] === __filename);'],
    ['a.mjs', 'console.log(import.meta.main, process.argv[1], import.meta.url);'],
    ['a.mjs', 'console.log(process.execArgv.filter((flag) => !/setup|import/.test(flag)));'],
  ])('%s finds what it finds under node: %s', async (name, text) => {
    const cwd = workspace({ [name]: text });
    const alone = execFileSync(process.execPath, [join(cwd, name)], { cwd, encoding: 'utf8' });
    const { code, stdout, stderr } = await run(launcher, cwd, 1, name);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: alone, stderr: '' });
  });

  test.each([
    ['a.mjs', 'import "node:fs";\nfor (let i = 0; i < 3; i++ {\n}\n', 'a.mjs:2', '0; i < 3; i++ {'],
    ['a.cjs', 'let a = 1;\nlet a = 2;\n', 'a.cjs:2', 'let a = 2;'],
    ['a.mjs', 'import "./bad.mjs";\n', 'bad.mjs:3', 'export const b = ;'],
    ['a.mjs', 'await import("./bad.mjs");\n', 'bad.mjs:3', 'export const b = ;'],
    ['a.mjs', 'import { none } from "./good.mjs";\n', 'a.mjs:1', 'import { none }'],
  ])(
    'a syntax error by way of %s (%s) has file, line and code',
    async (name, text, place, code) => {
      const bad = '\n\nexport const b = ;\n';
      const cwd = workspace({ 'good.mjs': 'export {};', 'bad.mjs': bad, [name]: text });
      const { code: status, stderr } = await run(launcher, cwd, 2, name);
      expect(status).toBe(1);
      expect(stderr).toContain(join(cwd, place));
      expect(stderr).toContain(code);
      expect(stderr).toContain('SyntaxError: ');
    },
  );

  test.each([
    [
      'throw new Error("outer", { cause: new RangeError("inner") })',
      ['outer', '[cause]: RangeError: inner'],
    ],
    [
      'throw new AggregateError([new Error("one"), new Error("two")], "both")',
      ['both', 'Error: one', 'Error: two'],
    ],
    [
      'await import("node:fs").then(({ readFileSync }) => readFileSync("/none"))',
      ["code: 'ENOENT'", "path: '/none'"],
    ],
    ['throw { code: 42, deep: { list: [1, 2] } }', ['{ code: 42, deep: { list: [ 1, 2 ] } }']],
    ['Promise.reject("just text")', ['just text']],
  ])('%s is told as node prints it', async (failing, parts) => {
    const cwd = workspace({ 'a.mjs': together(failing) });
    const { code, stderr } = await run(launcher, cwd, 2, 'a.mjs');
    expect(code).toBe(1);
    for (const part of parts) expect(stderr).toContain(part);
  });

  test('what every rank throws alike stands on the console once, with the ranks', async () => {
    const cwd = workspace({ 'a.mjs': together("throw new TypeError('the batch is a string');") });
    const { code, stderr } = await run(launcher, cwd, 3, 'a.mjs');
    expect(code).toBe(1);
    expect(stderr.match(/at file:.*a\.mjs:4/g)).toHaveLength(1);
    expect(stderr).toMatch(/^syncrun: thrown by ranks? \d[\d, ]*:\n {2}TypeError: the batch/m);
    expect(stderr).not.toContain('the end of');
  });

  test('ranks that throw different things are both shown, and consequences are not', async () => {
    const failing = `import { getRank } from 'syncbn';
      if (getRank() < 2) throw new Error('mine ' + getRank());
      createGroup('late', [0, 1, 2]).barrier().wait();`;
    const cwd = workspace({ 'a.mjs': together(failing) });
    const { stderr } = await run(launcher, cwd, 3, 'a.mjs');
    expect(stderr).toMatch(/Error: mine [01]/);
    expect(stderr).not.toContain('RankFailedError');
  });

  test('the log’s tail is shown when the console has not had it', async () => {
    const failing = "console.log('step 3'); throw new Error('boom');";
    const cwd = workspace({ 'a.mjs': failing });
    const { stdout, stderr } = await run(launcher, cwd, 1, '--tail_worker_log=-1', 'a.mjs');
    expect(stdout).toBe('step 3\n');
    expect(stderr).not.toContain('step 3');
    expect(stderr.match(/Error: boom/g)?.length).toBeLessThanOrEqual(2);
    const many = workspace({ 'a.mjs': `if (process.env.RANK === '1') { ${failing} }` });
    const other = await run(launcher, many, 2, '--tail_worker_log=0', 'a.mjs');
    expect(other.stderr).toContain(`syncrun: the end of ${many}/worker_1.log:\n  step 3\n`);
  });

  test.each([
    [[], /^\[(\d)\] <(\1*)>$/],
    [['--rank_prefix=False'], /^<(\d)\1*>$/],
  ])('lines of 10,000 characters stay whole with %j', async (options, line) => {
    const text = `const text = '<' + process.env.RANK.repeat(10_000) + '>\\n';
      for (let i = 0; i < 200; i++) {
        process.stdout.write(text.slice(0, 5000));
        process.stdout.write(text.slice(5000));
      }
      process.stdout.write('<' + process.env.RANK + '>');`;
    const cwd = workspace({ 'a.mjs': text });
    const { code, stdout } = await run(launcher, cwd, 3, ...options, 'a.mjs');
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    expect(lines.pop()).toBe('');
    expect(lines).toHaveLength(603);
    const torn = lines.filter((each) => !line.test(each)).map((each) => each.slice(0, 80));
    expect(torn).toEqual([]);
  });

  test('TypeScript that node alone cannot read runs by an installed tsx', async () => {
    const cwd = workspace({
      'package.json': '{ "type": "module" }',
      'util.ts': 'export const seven: number = 7;',
      'a.ts': `import { seven } from './util.js';
        enum Color { Red = 5 }
        console.log(Color[5], seven);`,
    });
    const { code, stdout, stderr } = await run(launcher, cwd, 1, 'a.ts');
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'Red 7\n', stderr: '' });
  });

  test('script and children have RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE', async () => {
    const names = ['RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'LOCAL_WORLD_SIZE'];
    const shell = names.map((name) => `$${name}`).join(' ');
    const text = `import { execSync } from 'node:child_process';
      const { env } = process;
      console.log(${names.map((name) => `env.${name}`).join(', ')});
      console.log(execSync('echo child ${shell}', { encoding: 'utf8' }).trim());`;
    const cwd = workspace({ 'a.mjs': text });
    const { stdout } = await run(launcher, cwd, 2, 'a.mjs');
    const lines = [0, 1].flatMap((rank) => [
      `[${rank}] ${rank} 2 ${rank} 2`,
      `[${rank}] child ${rank} 2 ${rank} 2`,
    ]);
    expect(stdout.trim().split('\n').sort()).toEqual(lines.sort());
  });

  test('what a rank forks, and the threads that it starts, are no ranks', async () => {
    const text = `import { fork } from 'node:child_process';
      import { Worker } from 'node:worker_threads';
      import { fileURLToPath } from 'node:url';
      const child = fork(fileURLToPath(new URL('./child.cjs', import.meta.url)));
      const code = await new Promise((resolve) => child.on('exit', resolve));
      const thread = new Worker(new URL('./child.cjs', import.meta.url));
      console.log('child', code, 'thread', await new Promise((resolve) => thread.on('exit', resolve)));`;
    const cwd = workspace({ 'a.mjs': text, 'child.cjs': '' });
    const { code, stdout, stderr } = await run(launcher, cwd, 1, 'a.mjs');
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'child 0 thread 0\n', stderr: '' });
  });

  test('a rank that never joins, beside ranks that have, is an error', async () => {
    const text = `import { init } from 'syncbn';
      if (process.env.RANK === '0') await init();`;
    const cwd = workspace({ 'a.mjs': text });
    const { code, stderr } = await run(launcher, cwd, 2, 'a.mjs');
    expect(code).toBe(1);
    expect(stderr).toMatch(/rank 1 .*ended (without|before) joining the world/);
  });

  test.each(['256', '-1', '1000', '3'])('process.exit(%s) never ends in success', async (code) => {
    const text = `import { init } from 'syncbn';
      await init();
      if (process.env.RANK === '1') process.exit(${code}); else setInterval(() => {}, 100);`;
    const cwd = workspace({ 'a.mjs': text });
    const ended = await run(launcher, cwd, 2, '--cluster_time_out=20', 'a.mjs');
    expect(ended.code).toBe(Number(code) & 255 || 1);
    expect(ended.stderr).toContain('syncrun: rank 1 ');
  });
});

test('an error of 300 MB ends its world, and not the launcher', async () => {
  const text = `let text = 'the batch was '.repeat(1000);
    while (text.length < 300e6) text += text;
    throw new Error(text);`;
  const cwd = workspace({ 'a.mjs': text });
  const { code, stderr } = await run('threads', cwd, 2, 'a.mjs');
  expect(code).toBe(1);
  expect(stderr.length).toBeLessThan(200_000);
  expect(stderr).toMatch(/^ {2}Error: the batch was .*\(\d+ characters\)$/m);
});
