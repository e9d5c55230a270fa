/**
 * Between two hosts: starts syncrun on both, kills one process without warning, and waits until
 * none is left; again and again. Arguments: syncrun, script, folder for logs, repetitions, seed.
 * Prints one line of JSON for each kill. Runs in a namespace of processes of its own, so what is
 * left is what `/proc` shows.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const [syncrun, script, logs, repetitions, seed] = process.argv.slice(2);
const SECRET = 'a secret of the test, not of use';
const HOSTS = [1, 2];
const RANKS = 4;
/** Milliseconds after the world has formed in which the kill comes: before init, in it, after it. */
const SPREAD_MS = 900;
/** Milliseconds until a process counts as left behind for good. */
const LIMIT_MS = 10_000;

/** Whom the kill meets, in turns. */
const VICTIMS = ['syncrun of host 1', 'a rank', 'syncrun of host 2', 'a rank'] as const;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let state = Number(seed);
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

/** Ids of the processes that are there; one that has ended and was not collected is not. */
function alive(): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => !/\) Z /.test(read(`/proc/${pid}/stat`, ') Z '))).map(Number);
}

function read(path: string, gone: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return gone;
  }
}

/** Ids of the processes that run the script; syncrun's own has it behind its options. */
function ranks(others: ReadonlySet<number>): number[] {
  const isRank = (pid: number) => read(`/proc/${pid}/cmdline`, '').includes('rank-setup.js');
  return alive().filter((pid) => !others.has(pid) && isRank(pid));
}

function start(host: number): ChildProcess {
  const options = [
    ...[`--worker_num=${RANKS}`, `--local_worker_num=${RANKS / HOSTS.length}`, '--join'],
    ...['--master_addr=10.77.0.1', `--node_rank=${host - 1}`, '--tail_worker_log=0'],
    ...['--cluster_time_out=20', `--log_dir=${logs}`],
  ];
  const words = ['-c', 'on "$@"', 'bash', String(host), process.execPath, syncrun];
  // Past shared memory, which pretended hosts have in common and real ones have not.
  const tcp = { UCX_TLS: 'tcp,self', UCX_NET_DEVICES: 'eth0' };
  const env = { ...process.env, ...tcp, SYNCBN_SECRET: SECRET };
  return spawn('bash', [...words, ...options, script], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function until(condition: () => boolean, what: string): Promise<number> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > LIMIT_MS) throw new Error(`${what} did not come`);
    await pause(20);
  }
  return Math.round(performance.now() - start);
}

async function repetition(turn: number, baseline: ReadonlySet<number>): Promise<void> {
  const children = HOSTS.map(start);
  let words = '';
  for (const { stderr } of children) {
    stderr?.on('data', (text) => {
      words += text;
    });
  }
  const codes = children.map((child) => new Promise((resolve) => child.on('close', resolve)));
  await until(() => ranks(baseline).length === RANKS, 'the world');
  await pause(random() * SPREAD_MS);
  const kind = VICTIMS[turn % VICTIMS.length];
  const candidates = kind === 'a rank' ? ranks(baseline) : [children[turn % 4 === 0 ? 0 : 1].pid!];
  const victim = candidates[Math.floor(random() * candidates.length)];
  process.kill(victim, 'SIGKILL');
  const gone = await until(() => alive().every((pid) => baseline.has(pid)), `end of ${kind}`);
  console.log(JSON.stringify({ kind, gone, codes: await Promise.all(codes), words }));
}

const baseline = new Set(alive());
for (let turn = 0; turn < Number(repetitions); turn++) await repetition(turn, baseline);
