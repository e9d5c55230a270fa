/**
 * Kills ranks and launchers at random moments, and looks at what is left: `npm run kills -- 200 1`
 * (repetitions, seed). The true status must come out, the victim must be named, and every process
 * must be gone two seconds later. `test/mpi/kill.test.ts` does so between two hosts.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SYNCRUN = join(ROOT, 'dist/launch/syncrun/main.js');
const [repetitions = '200', seed = '1'] = process.argv.slice(2);
const RANKS = 3;
/** Milliseconds until no process may be left, and in which the kill may come. */
const LIMIT = 2000;
const SPREAD = 1500;
/** Every process of a launch has this variable. */
const MARK = `SYNCBN_KILLS_MARK=${process.pid}`;

const cwd = mkdtempSync(join(ROOT, 'build/kills-'));
writeFileSync(join(cwd, 'package.json'), '{ "type": "module" }');
writeFileSync(
  join(cwd, 'rank.js'),
  `import { createGroup, getProcessGroupRanks, init } from 'syncbn';
await init({ timeout: 1 });
const all = createGroup('all', getProcessGroupRanks());
for (let i = 0; i < Number(process.argv[2]); i++) all.barrier().wait();
`,
);

const syncrun = (launcher) => [
  ...[process.execPath, SYNCRUN, `--launcher=${launcher}`, `--worker_num=${RANKS}`, '--join'],
  ...['--grace=0.5', '--cluster_time_out=5', '--tail_worker_log=0'],
];
const root = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];
const LAUNCHERS = {
  threads: syncrun('threads'),
  processes: syncrun('processes'),
  mpich: ['mpiexec.mpich', '-n', String(RANKS), process.execPath],
  openmpi: [
    ...['mpirun.openmpi', ...root, '--bind-to', 'none', '--oversubscribe'],
    ...['-n', String(RANKS), process.execPath],
  ],
};

let state = Number(seed);
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
};
const pick = (list) => list[Math.floor(random() * list.length)];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function read(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

/** Processes of the launch, without those that have ended and wait to be collected. */
function ours() {
  const pids = readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  );
  return pids.filter(
    (pid) => read(pid, 'environ').includes(MARK) && !/\) Z /.test(read(pid, 'stat')),
  );
}

function rankOf(pid) {
  const words = read(pid, 'cmdline').split('\0');
  if (words.some((word) => /mpirun|mpiexec|hydra|syncrun\/main/.test(word))) return null;
  const rank = /(?:^|\0)(?:PMI_RANK|OMPI_COMM_WORLD_RANK)=(\d+)/.exec(read(pid, 'environ'))?.[1];
  return words.some((word) => word.endsWith('rank.js')) && rank !== undefined ? Number(rank) : null;
}

/** What is wrong with how a launch ended; null when nothing is. */
function judge({ name, signal, victim, code, ended, stderr }) {
  const status = 128 + constants.signals[signal];
  if (victim === null) return null;
  if (victim === 'launcher') {
    if (signal === 'SIGKILL') return ended === 'SIGKILL' ? null : `the launcher ended by ${ended}`;
    // MPI's launchers have codes of their own.
    const own = name === 'threads' || name === 'processes';
    // Before its handlers are in place, the signal itself ends it.
    if (ended === signal) return null;
    return (own ? code === status : code !== 0) ? null : `status ${code}, not ${status}`;
  }
  if (code === 0) return 'a rank was hit, and the status is 0';
  if (name !== 'processes') return null;
  if (!new RegExp(`rank ${victim}\\b`).test(stderr))
    return `rank ${victim} is not named: ${stderr}`;
  return signal === 'SIGSTOP' || code === status ? null : `status ${code}, not ${status}`;
}

async function repetition(turn) {
  const name = pick(Object.keys(LAUNCHERS));
  const signal = pick(['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGSTOP']);
  const rounds = pick(['1000000000', '1000000000', '2000']);
  const [command, ...words] = LAUNCHERS[name];
  const [key, value] = MARK.split('=');
  const child = spawn(command, [...words, 'rank.js', rounds], {
    cwd,
    env: { ...process.env, [key]: value },
  });
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  child.stdout.resume();
  const end = new Promise((resolve) =>
    child.on('close', (code, ended) => resolve({ code, ended })),
  );
  await pause(random() * SPREAD);
  const ranks = ours().filter((pid) => rankOf(pid) !== null);
  const stops = signal === 'SIGSTOP';
  const launcher = !stops && (ranks.length === 0 || random() < 0.4) && child.exitCode === null;
  const pid = launcher ? child.pid : ranks.length === 0 ? null : pick(ranks);
  const victim = pid === null ? null : launcher ? 'launcher' : rankOf(pid);
  try {
    if (pid !== null) process.kill(Number(pid), signal);
  } catch {
    // It has just ended.
  }
  if (victim === null && rounds !== '2000') child.kill('SIGKILL');
  // What has stopped is found by the deadline of a collective.
  const limit = LIMIT + (stops ? 3000 : 0) + (rounds === '2000' ? 3000 : 0);
  const start = performance.now();
  while (ours().length > 0 && performance.now() - start < limit + 8000) await pause(15);
  const gone = Math.round(performance.now() - start);
  const left = ours();
  for (const each of left) process.kill(Number(each), 'SIGKILL');
  const how = await end;
  const finished = rounds === '2000' && how.code === 0;
  const wrong =
    victim === null && rounds !== '2000'
      ? null
      : finished
        ? null
        : judge({ name, signal, victim, stderr, ...how });
  const late = gone > limit ? `the last process was gone after ${gone} ms` : null;
  return { turn, name, signal, victim, gone, ...how, problem: wrong ?? late };
}

const slowest = {};
let problems = 0;
for (let turn = 0; turn < Number(repetitions); turn++) {
  const outcome = await repetition(turn);
  slowest[outcome.name] = Math.max(slowest[outcome.name] ?? 0, outcome.gone);
  if (outcome.problem === null) continue;
  problems++;
  console.log(JSON.stringify(outcome));
}
rmSync(cwd, { recursive: true, force: true });
console.log(
  `${repetitions} kills, ${problems} problems; the slowest ends in ms: ${JSON.stringify(slowest)}`,
);
process.exitCode = problems === 0 ? 0 : 1;
