/**
 * Tries the built package on the runtimes that it supports, which come from the npm registry:
 *
 *   npm run runtimes                      a smoke test on each, and the bits of a layer
 *   npm run runtimes -- --suites          and the tests of groups, layers and launchers on the oldest
 *                                         and the newest Node
 *   npm run runtimes -- node-24 bun       some of them
 *   node scripts/runtimes.mjs --brief     what `npm test` does: the oldest and the newest Node, Deno
 *                                         and Bun; and of the tests those that depend on a runtime,
 *                                         except on this Node's own line, which has run them all
 */

import { execFileSync, spawn } from 'node:child_process';
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

/** 'x64' or 'arm64'. */
const { arch } = process;
const bunArch = arch === 'arm64' ? 'aarch64' : arch;
/** Package, and the program in it. `words` come before the script. */
const NODE = (version) => ({ pack: `node-linux-${arch}@${version}`, file: 'bin/node', words: [] });
const RUNTIMES = {
  'node-20.19': NODE('20.19'),
  'node-22.12': NODE('22.12'),
  'node-22': NODE('22'),
  'node-24': NODE('24'),
  'node-26': NODE('26'),
  deno: { pack: `@deno/linux-${arch}-glibc@2`, file: 'deno', words: ['run', '-A'] },
  bun: { pack: `@oven/bun-linux-${bunArch}@1`, file: 'bin/bun', words: [] },
};
const SUITES = ['node-20.19', 'node-26'];
const BRIEF = [...SUITES, 'deno', 'bun'];
/** Tests of groups, layers and launchers; of them, those whose outcome depends on the runtime. */
const TESTS = ['test/group', 'test/layers', 'test/launch'];
const BRIEF_TESTS = [
  ...['thread-contract', 'groups', 'failures', 'world'].map((name) => `test/group/${name}.test.ts`),
  ...['oracle', 'bitwise', 'passes', 'float16-array'].map((name) => `test/layers/${name}.test.ts`),
  ...['launch', 'scripts', 'ending', 'signals'].map((name) => `test/launch/${name}.test.ts`),
];

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

/** Prints the kernels that serve, and a hash of what a layer makes: by them, by baseline, by plain. */
const BITS = `import { init, SyncBatchNorm, Tensor } from 'syncbn';
import { plainKernels } from '../../dist/kernels/plain.js';
import { createKernels } from '../../dist/kernels/select.js';
import { createEngine } from '../../dist/kernels/wasm/engine.js';
import { currentKernels, withKernels } from '../../dist/ops/kernels.js';
await init();
const baseline = createKernels(() => createEngine({ relaxed: false }));
let state = 1;
const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const [x, dy] = [0, 0].map(() => Float32Array.from({ length: 32 * 3 * 49 }, next));
function hashOf() {
  const layer = new SyncBatchNorm(3);
  const y = layer.forward(Tensor.from(x, [32, 3, 7, 7]));
  const dx = layer.backward(Tensor.from(dy, [32, 3, 7, 7]));
  const { weight, bias, runningMean, runningVar } = layer;
  let hash = 0x811c9dc5;
  for (const { data } of [y, dx, weight.grad, bias.grad, runningMean, runningVar]) {
    for (const byte of new Uint8Array(data.slice().buffer)) hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
const [own, base, plain] = [currentKernels(), baseline, plainKernels].map((kernels) =>
  withKernels(kernels, hashOf),
);
console.log(JSON.stringify({ kernels: currentKernels().name, own, baseline: base, plain }));
`;
const SCRIPTS = {
  // Bun would follow the paths of the project's own, to the source.
  'tsconfig.json': '{}',
  'bits.mjs': BITS,
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

/** Runs a command to its end; everything it wrote. */
function run(command, args, cwd) {
  const child = spawn(command, args, { cwd, timeout: 60_000 });
  const ended = { status: null, stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].setEncoding('utf8').on('data', (text) => {
      ended[stream] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ ...ended, status }));
  });
}

/** @returns what is wrong; '' when nothing is */
async function check(program, before, cwd, [, words, status, output]) {
  const syncrun = [SYNCRUN, '--worker_num=2', '--join', '--cluster_time_out=30'];
  const args = words === null ? ['program.mjs'] : [...syncrun, ...words];
  const ended = await run(program, [...before, ...args], cwd);
  const lines = ended.stdout.split('\n').filter(Boolean).sort();
  const sorted = lines.map((line) => `${line}\n`).join('');
  const right = ended.status === status && output.test(status === 0 ? sorted : ended.stderr);
  if (!right) return `status ${ended.status}\n${ended.stdout}${ended.stderr}`;
  const log = words === null || status !== 0 || readFileSync(join(cwd, 'worker_1.log'), 'utf8');
  return log === '' ? 'the log of rank 1 is empty\n' : '';
}

/** Every check on one runtime. @returns whether all are right, and the layer's bits */
async function smoke(name, program) {
  const cwd = mkdtempSync(join(ROOT, 'build/runtime-'));
  for (const [file, text] of Object.entries(SCRIPTS)) writeFileSync(join(cwd, file), text);
  const { words } = RUNTIMES[name];
  let right = true;
  for (const each of CHECKS) {
    const start = performance.now();
    const wrong = await check(program, words, cwd, each);
    const took = `${Math.round(performance.now() - start)} ms`;
    const verdict = wrong === '' ? 'ok' : 'FAILED';
    console.log(`${name.padEnd(11)} ${each[0].padEnd(22)} ${verdict} ${took}\n${wrong}`.trimEnd());
    right &&= wrong === '';
  }
  const { status, stdout, stderr } = await run(program, [...words, 'bits.mjs'], cwd);
  if (status !== 0) console.log(stderr);
  rmSync(cwd, { recursive: true });
  return { right: right && status === 0, bits: status === 0 ? JSON.parse(stdout) : {} };
}

/** The same kernels have the same bits everywhere; relaxed ones may be the baseline's. */
function compareBits(bits) {
  console.log(`\n${'runtime'.padEnd(11)} kernels       own       baseline  plain`);
  for (const [name, { kernels, own, baseline, plain }] of bits) {
    console.log(`${name.padEnd(11)} ${String(kernels).padEnd(13)} ${own}  ${baseline}  ${plain}`);
  }
  const different = (key) => new Set([...bits.values()].map((each) => each[key])).size;
  const wrong = ['baseline', 'plain'].filter((key) => different(key) > 1);
  for (const key of wrong) console.log(`the bits of ${key} kernels differ between runtimes`);
  return wrong.length === 0;
}

function suites(name, program, tests) {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const words = [vitest, 'run', '--project', 'all', '--reporter=dot', ...tests];
  const child = spawn(program, words, { cwd: ROOT, stdio: 'inherit' });
  return new Promise((resolve) => {
    child.on('close', (status) => {
      console.log(`${name.padEnd(11)} tests ${status === 0 ? 'ok' : 'FAILED'}`);
      resolve(status === 0);
    });
  });
}

const flags = process.argv.slice(2).filter((word) => word.startsWith('--'));
const asked = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const brief = flags.includes('--brief');
const unknown = asked.find((name) => !Object.hasOwn(RUNTIMES, name));
if (unknown !== undefined) {
  throw new RangeError(
    `there is no runtime '${unknown}'; there are ${Object.keys(RUNTIMES).join(', ')}`,
  );
}
const names = asked.length > 0 ? asked : brief ? BRIEF : Object.keys(RUNTIMES);
const programs = new Map(names.map((name) => [name, fetchRuntime(name, RUNTIMES[name])]));
const outcomes = new Map();
// Two at a time, as there are cores.
const waiting = [...programs];
const worker = async () => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    outcomes.set(next[0], await smoke(...next));
  }
};
await Promise.all([worker(), worker()]);
let right = [...outcomes.values()].every((outcome) => outcome.right);
right = compareBits(new Map([...outcomes].map(([name, { bits }]) => [name, bits]))) && right;
if (brief || flags.includes('--suites')) {
  const [line] = process.versions.node.split('.');
  const isDone = (name) => brief && name.split(/[-.]/)[1] === line;
  for (const name of SUITES.filter((each) => programs.has(each) && !isDone(each))) {
    right = (await suites(name, programs.get(name), brief ? BRIEF_TESTS : TESTS)) && right;
  }
}
process.exitCode = right ? 0 : 1;
