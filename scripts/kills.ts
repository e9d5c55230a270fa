/**
 * Kills ranks and launchers at random moments, and looks at what is left:
 *
 *   npm run faults -- kills 200 1            repetitions, seed
 *   npm run faults -- kills 50 1 hosts       of one kind of world
 *
 * The true status must come out, the victim must be named, and every process must be gone two
 * seconds later. Runs in namespaces of its own, with two hosts in them; needs root or leave for users
 * to make namespaces.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { networkArguments } from '../test/mpi/network.js';
import { judge, type Kill, limitOf, seenAfter } from './kills/judge.js';
import { alive, rankOf } from './kills/processes.js';
import { isMpi, KINDS, type Kind, RANKS, World } from './kills/worlds.js';

const INSIDE = '--inside';
/** Milliseconds after the start in which the kill comes. */
const SPREAD = 2500;
/** Milliseconds until a process counts as left behind for good. */
const FOREVER = 15_000;
const SIGNALS = ['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGSTOP'] as const;
/** Barriers of a rank: for ever, or about as many as fit into the time. */
const BARRIERS = [1e9, 1e9, 20_000];

const [repetitions = '200', seed = '1', kind = ''] = process.argv.slice(2);

if (process.argv[5] !== INSIDE) {
  const words = [...process.execArgv, fileURLToPath(import.meta.url), repetitions, seed, kind];
  const args = networkArguments('ip link set lo up; exec "$@"', [
    process.execPath,
    ...words,
    INSIDE,
  ]);
  const env = { ...process.env, HOSTS: '1 2' };
  process.exit(spawnSync('unshare', args, { stdio: 'inherit', env }).status ?? 1);
}

let state = Number(seed);
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const baseline = new Set(alive());
const ours = () => alive().filter((pid) => !baseline.has(pid));

interface Outcome {
  readonly kind: Kind;
  /** Milliseconds from when the failure could be seen until no process was left. */
  readonly late: number;
  readonly problem: string | null;
  readonly words: string;
}

/** Draws whom the kill hits, of what runs now. @returns it, and its process */
function choose(world: World, signal: NodeJS.Signals): [Kill, pid: number] {
  const [whom, which] = [random(), random()];
  const ranks = ours().filter((pid) => rankOf(pid) !== null);
  const joined = world.count('joined');
  // A launcher that stands still can tell nobody; nor can a rank inside MPI_Init under mpirun.
  const canStop = ranks.length > 0 && (joined === RANKS || !isMpi(world.kind));
  const stops = signal === 'SIGSTOP' && canStop;
  const hitsRank = ranks.length > 0 && (whom < 0.6 || stops);
  const victims = hitsRank ? ranks : world.launchers.map(({ pid }) => pid ?? 0);
  const pid = victims[Math.floor(which * victims.length)];
  const kill = {
    signal: signal === 'SIGSTOP' && !stops ? ('SIGKILL' as const) : signal,
    rank: hitsRank ? rankOf(pid) : null,
    host: hitsRank ? 0 : victims.indexOf(pid),
    joined,
    running: ranks.length > 0,
  };
  return [kill, pid];
}

async function repetition(kind: Kind): Promise<Outcome> {
  const world = new World(kind, pick(BARRIERS));
  const [signal, moment] = [pick(SIGNALS), random() * SPREAD];
  await pause(moment);
  const [kill, pid] = choose(world, signal);
  try {
    process.kill(pid, kill.signal);
  } catch {
    // It has just ended.
  }
  const start = performance.now();
  while (ours().length > 0 && performance.now() - start < FOREVER) await pause(15);
  const gone = Math.round(performance.now() - start);
  const left = ours();
  for (const each of left) process.kill(each, 'SIGKILL');
  const ends = await world.ends;
  world.remove();
  const late = Math.max(0, gone - seenAfter(world, kill));
  const problem =
    late > limitOf(kind)
      ? `${left.length} processes were left after ${gone} ms`
      : judge(world, kill, ends);
  const what = { kind, moment: Math.round(moment), ...kill, gone, ends };
  return { kind, late, problem, words: `${JSON.stringify(what)}\n${world.stderr}` };
}

const kinds = KINDS.filter((each) => kind === '' || each === kind);
if (kinds.length === 0)
  throw new RangeError(`there is no '${kind}'; there are ${KINDS.join(', ')}`);
const slowest: Partial<Record<Kind, number>> = {};
let problems = 0;
for (let turn = 0; turn < Number(repetitions); turn++) {
  const outcome = await repetition(kinds[turn % kinds.length]);
  slowest[outcome.kind] = Math.max(slowest[outcome.kind] ?? 0, outcome.late);
  if (outcome.problem === null) continue;
  problems++;
  console.log(`kill ${turn}: ${outcome.problem}\n${outcome.words}`);
}
console.log(
  `${repetitions} kills, ${problems} problems; the slowest ends in ms: ${JSON.stringify(slowest)}`,
);
process.exitCode = problems === 0 ? 0 : 1;
