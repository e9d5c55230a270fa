/**
 * Tries and measures the adapters on this machine's GPU:
 *
 *   npm ci && npm run build
 *   node scripts/gpu.mjs                            everything, some three minutes
 *   node scripts/gpu.mjs --parts adapter,jax        some parts
 *   node scripts/gpu.mjs --software --steps 2 --batches 8     on SwiftShader: values, not speed
 *
 * Node gets WebGPU from the package `webgpu`, which needs a Vulkan driver and its loader. Each part
 * is a process with a time limit of its own. Prints tables, and writes all figures to --out.
 */

import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILT = join(ROOT, 'build/gpu');

/** Parts, and the seconds that each may take. */
const LIMITS = {
  adapter: 20,
  jax: 75,
  tfjs: 45,
  'jax-webgpu': 75,
  'jax-wasm': 60,
  'tfjs-webgpu': 40,
  'tfjs-wasm': 40,
};

const { values: options } = parseArgs({
  options: {
    parts: { type: 'string', default: Object.keys(LIMITS).join() },
    /** Steps of a measurement, after its warm-up. */
    steps: { type: 'string', default: '24' },
    /** Samples of a step, over all ranks. */
    batches: { type: 'string', default: '64,256' },
    /** Numbers of ranks that train, in jax-js. */
    ranks: { type: 'string', default: '1,2,4' },
    /** Allows drivers that compute on the processor; uses Chromium's unless another is named. */
    software: { type: 'boolean', default: false },
    /** Programs are compiled already. */
    built: { type: 'boolean', default: false },
    out: { type: 'string', default: join(BUILT, 'result.json') },
  },
});

const parts = options.parts.split(',');
const unknown = parts.filter((name) => !(name in LIMITS));
if (unknown.length > 0) {
  console.error(`gpu: unknown part ${unknown[0]}; there are ${Object.keys(LIMITS).join(', ')}`);
  process.exit(2);
}

async function compile() {
  const { build } = await import('esbuild');
  rmSync(BUILT, { recursive: true, force: true });
  await build({
    entryPoints: {
      part: join(ROOT, 'scripts/gpu/part.ts'),
      'digits-rank': join(ROOT, 'scripts/gpu/digits-rank.ts'),
      'jax-rank': join(ROOT, 'test/webgpu/jax-rank.ts'),
      'tfjs-rank': join(ROOT, 'test/webgpu/tfjs-rank.ts'),
    },
    outdir: BUILT,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    packages: 'external',
    // Not src/, where tsconfig.json's paths lead to.
    tsconfigRaw: '{}',
    format: 'esm',
    platform: 'node',
    target: 'node20',
  });
}

const CHROMIUM = '/usr/lib/chromium';

function environment() {
  if (!options.software || process.env.VK_ICD_FILENAMES) return process.env;
  const driver = `${CHROMIUM}/vk_swiftshader_icd.json`;
  return {
    ...process.env,
    VK_ICD_FILENAMES: driver,
    VK_DRIVER_FILES: driver,
    LD_LIBRARY_PATH: [CHROMIUM, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
  };
}

function numbersOf(name) {
  const numbers = options[name].split(',').map(Number);
  if (numbers.every((number) => Number.isInteger(number) && number > 0)) return numbers;
  console.error(`gpu: --${name} takes whole numbers of 1 or more, got ${options[name]}`);
  process.exit(2);
}

/** Runs a part; its records so far, if it fails or runs past its limit. */
async function run(name) {
  const start = performance.now();
  const [steps, batches, ranks] = ['steps', 'batches', 'ranks'].map(numbersOf);
  const given = { software: options.software, steps: steps[0], batches, ranks };
  const words = [join(BUILT, 'part.mjs'), name, JSON.stringify(given)];
  const child = spawn(process.execPath, words, {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const records = [];
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, LIMITS[name] * 1000);
  const ended = new Promise((resolve) => {
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  for await (const line of createInterface({ input: child.stdout })) {
    // Libraries print, too.
    if (!line.startsWith('{"kind":')) console.log(line);
    else records.push(JSON.parse(line));
  }
  const end = await ended;
  clearTimeout(timer);
  const failure = timedOut ? `ran past its limit of ${LIMITS[name]} s` : `ended with ${end}`;
  const seconds = (performance.now() - start) / 1000;
  return { name, seconds, records, failure: end === 0 && !timedOut ? null : failure };
}

/** Lines of columns; numbers to the right. */
function table(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)));
  const cell = (value, i) =>
    typeof value === 'number' ? String(value).padStart(widths[i]) : String(value).padEnd(widths[i]);
  return rows.map((row) => `  ${row.map(cell).join('  ')}`).join('\n');
}

const rounded = (value) => Number(value.toPrecision(3));

function show({ name, seconds, records, failure }) {
  console.log(
    `\n${name}, ${seconds.toFixed(1)} s${failure === null ? '' : `: FAILED, ${failure}`}`,
  );
  for (const { kind, ...record } of records) {
    if (kind === 'adapter') console.log(adapterText(record));
    if (kind === 'check' && record.error !== null) {
      console.log(`  FAILED: ${record.title}\n    ${record.error.replaceAll('\n', '\n    ')}`);
    }
  }
  const checks = records.filter(({ kind }) => kind === 'check');
  if (checks.length > 0) {
    const good = checks.filter(({ error }) => error === null).length;
    console.log(`  ${good} of ${checks.length} checks hold`);
  }
  const times = records.filter(({ kind }) => kind === 'time');
  if (times.length === 0) return;
  const rows = times.map(({ what, device, ranks, batch, median, low, high, runs }) =>
    [what, device, ranks, batch].concat([median, low, high].map(rounded), runs),
  );
  const head = ['', 'device', 'ranks', 'batch', 'median ms', '10 %', '90 %', 'runs'];
  console.log(table([head, ...rows]));
}

function adapterText({ isSoftware, description, features, limits, ...names }) {
  const shown = Object.entries({ ...names, ...limits });
  const rows = shown.filter(([key]) => key in names || /Buffer.*Size|Compute/.test(key));
  const title = `  ${isSoftware ? 'SOFTWARE: ' : ''}${description}`;
  return [title, table(rows), `  features: ${features.join(', ')}`].join('\n');
}

if (!options.built) await compile();
const results = [];
for (const name of parts) {
  const result = await run(name);
  results.push(result);
  show(result);
}
const [{ model }] = cpus();
const machine = { node: process.version, processor: model, cores: cpus().length };
mkdirSync(dirname(options.out), { recursive: true });
writeFileSync(options.out, `${JSON.stringify({ machine, results }, null, 2)}\n`);
console.log(`\nAll figures: ${options.out}`);
const isGood = ({ failure, records }) =>
  failure === null && records.every(({ error = null }) => error === null);
if (!results.every(isGood)) process.exitCode = 1;
