/**
 * Injects faults into random programs and judges what every rank sees of them.
 *
 *     npm run faults -- --seed 1 --worlds 1000 --carrier threads
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { FAULT_KINDS, type FaultKind } from './fault.js';
import { runLaunched } from './launched-threads.js';
import { Namespace, threadCount, threadsLeft } from './leftovers.js';
import { judge, SLACK_MS } from './oracle.js';
import { CARRIERS, type Carrier, makePlan, type Plan } from './plan.js';
import { runProcesses } from './processes.js';
import { Tally } from './tally.js';
import { ThreadPool } from './thread-pool.js';

interface Options {
  readonly seed: number;
  readonly worlds: number;
  readonly carrier: Carrier;
  readonly fault: readonly FaultKind[];
  readonly parallel: number;
  readonly slack: number;
}

/** Worlds whose violations are printed. */
const SHOWN = 20;
/** Set in the process that has the namespaces. */
const INSIDE = 'SYNCBN_FAULTS_INSIDE';

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError('It must be an integer of 0 or more.');
  }
  return value;
}

function parse(argv: readonly string[]): Options {
  const command = new Command('faults')
    .description('Random programs with a fault each; world i has seed SEED + i.')
    .option('--seed <n>', 'seed of the first world', count, 1)
    .option('--worlds <n>', 'number of worlds', count, 1000)
    .addOption(
      new Option('--carrier <name>', 'threads or an MPI').choices(CARRIERS).default('threads'),
    )
    .addOption(
      new Option('--fault <kinds...>', 'only these')
        .choices(FAULT_KINDS)
        .default(FAULT_KINDS, 'all'),
    )
    .option('--parallel <n>', 'worlds at a time', count, 3)
    .option('--slack <ms>', 'milliseconds that an error may be late', Number, SLACK_MS);
  command.parse(argv);
  return command.opts<Options>();
}

/** Runs worlds, `parallel` of them at a time. */
async function runWorlds(
  { seed, worlds, carrier, fault, parallel, slack }: Options,
  tally: Tally,
  run: (plan: Plan) => ReturnType<ThreadPool['run']>,
): Promise<void> {
  let next = seed;
  const lane = async () => {
    while (next < seed + worlds) {
      const plan = makePlan({ seed: next++, carrier, kinds: fault });
      tally.add(plan, judge(plan, await run(plan), slack));
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
}

async function onThreads(options: Options, tally: Tally): Promise<void> {
  const pool = new ThreadPool();
  const run = (plan: Plan) => (plan.driver === 'pool' ? pool.run(plan) : runLaunched(plan));
  // The engine's and libuv's own threads come with the first worlds.
  const first = Math.min(options.worlds, options.parallel);
  await runWorlds({ ...options, worlds: first }, tally, run);
  const own = threadCount() - pool.count;
  const rest = { ...options, seed: options.seed + first, worlds: options.worlds - first };
  await runWorlds(rest, tally, run);
  const left = await threadsLeft(own + pool.count);
  if (left > 0) tally.blame(`${left} threads are left`);
  await pool.close();
}

/** In namespaces of its own nothing is there but what the run has left; looked at in each turn. */
async function onProcesses(options: Options, tally: Tally): Promise<void> {
  const namespace = new Namespace();
  const { seed, worlds, parallel } = options;
  for (let first = 0; first < worlds; first += parallel) {
    const turn = { ...options, seed: seed + first, worlds: Math.min(parallel, worlds - first) };
    await runWorlds(turn, tally, runProcesses);
    for (const text of await namespace.leftovers()) tally.blame(`left behind: ${text}`);
  }
}

/** Runs this program again in namespaces of mounts and processes. @returns its exit status */
function enterNamespaces(): number {
  const folder = mkdtempSync(join(tmpdir(), 'syncbn-faults-'));
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const spaces = ['--mount', '--pid', '--mount-proc', '--fork', '--kill-child'];
  const script = 'mount -t tmpfs none /dev/shm && mount -t tmpfs none "$TMPDIR" && exec "$@"';
  const self = [process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  try {
    const { status } = spawnSync(
      'unshare',
      [...user, ...spaces, 'sh', '-c', script, 'faults', ...self],
      { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1', TMPDIR: folder } },
    );
    return status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const options = parse(process.argv);
  if (options.carrier !== 'threads' && process.env[INSIDE] === undefined) {
    process.exitCode = enterNamespaces();
    return;
  }
  const tally = new Tally();
  const start = performance.now();
  await (options.carrier === 'threads' ? onThreads : onProcesses)(options, tally);
  console.log(tally.table());
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const { offenders } = tally;
  const violations = offenders.reduce((sum, { texts }) => sum + texts.length, 0);
  console.log(
    `${options.worlds} worlds over ${options.carrier} in ${seconds} s: ` +
      `${violations} violations in ${offenders.length} worlds`,
  );
  for (const { seed, texts } of offenders.slice(0, SHOWN)) {
    if (seed !== null) console.log(`npm run faults -- ${repeat(seed, options)}`);
    for (const text of texts) console.log(`    ${text}`);
  }
  process.exitCode = violations === 0 ? 0 : 1;
}

/** Options that repeat one world. */
function repeat(seed: number, { carrier, fault }: Options): string {
  const only =
    fault.length === FAULT_KINDS.length ? '' : ` --fault ${fault.map((f) => `'${f}'`).join(' ')}`;
  return `--seed ${seed} --worlds 1 --carrier ${carrier}${only}`;
}

await main();
