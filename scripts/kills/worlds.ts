/** Worlds to be killed: how each is started, and what it has said. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TCP_ONLY } from '../../test/mpi/network.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SYNCRUN = join(ROOT, 'dist/launch/syncrun/main.js');
export const RANKS = 4;
/** Seconds that a collective may take, and that ranks have to start. */
export const DEADLINE = 2;
export const START = 5;

/** Barriers: for ever, or some, after which it ends well. */
const SCRIPT = `import { getGroup, init } from 'syncbn';
await init({ timeout: ${DEADLINE} });
console.log('joined');
for (let i = 0; i < Number(process.argv[2]); i++) getGroup().barrier().wait();
console.log('done');
`;

export const KINDS = ['threads', 'processes', 'hosts', 'mpich', 'openmpi'] as const;
export type Kind = (typeof KINDS)[number];

/** Whether MPI's own launcher starts the ranks. */
export const isMpi = (kind: Kind) => kind === 'mpich' || kind === 'openmpi';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class World {
  readonly kind: Kind;
  /** One for each host. */
  readonly launchers: readonly ChildProcess[];
  readonly ends: Promise<Ended[]>;
  /** What all of them wrote. */
  stdout = '';
  stderr = '';
  readonly #folder: string;

  constructor(kind: Kind, barriers: number) {
    this.kind = kind;
    this.#folder = mkdtempSync(join(ROOT, 'build/kills-'));
    writeFileSync(join(this.#folder, 'rank.js'), SCRIPT);
    this.launchers = commandsOf(kind).map((words) => this.#start([...words, String(barriers)]));
    this.ends = Promise.all(
      this.launchers.map(
        (child) =>
          new Promise<Ended>((resolve) =>
            child.on('close', (code, signal) => resolve({ code, signal })),
          ),
      ),
    );
  }

  /** How many ranks have said `word`. */
  count(word: string): number {
    return this.stdout.split(word).length - 1;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #start([command, ...words]: string[]): ChildProcess {
    const tcp = this.kind === 'hosts' ? TCP_ONLY : {};
    const env = { ...process.env, ...tcp, SYNCBN_SECRET: 'a secret of the test, not of use' };
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
    const child = spawn(command, words, { cwd: this.#folder, env, stdio });
    child.stdout.on('data', (text) => {
      this.stdout += text;
    });
    child.stderr.on('data', (text) => {
      this.stderr += text;
    });
    return child;
  }
}

/** The launchers' commands, one for each host, up to the script's argument. */
function commandsOf(kind: Kind): string[][] {
  const node = process.execPath;
  const syncrun = (...more: string[]) => [
    ...[node, SYNCRUN, `--worker_num=${RANKS}`, '--join', '--rank_prefix=False', '--grace=0.5'],
    ...[`--cluster_time_out=${START}`, ...more, 'rank.js'],
  ];
  if (kind === 'threads' || kind === 'processes') return [syncrun(`--launcher=${kind}`)];
  if (kind === 'mpich') return [['mpiexec.mpich', '-n', String(RANKS), node, 'rank.js']];
  if (kind === 'openmpi') {
    const root = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];
    const shared = ['--bind-to', 'none', '--oversubscribe', '-n', String(RANKS)];
    return [['mpirun.openmpi', ...root, ...shared, node, 'rank.js']];
  }
  return [0, 1].map((host) => [
    ...['bash', '-c', 'on "$@"', 'bash', String(host + 1)],
    ...syncrun(
      ...['--master_addr=10.77.0.1', `--node_rank=${host}`, `--local_worker_num=${RANKS / 2}`],
    ),
  ]);
}
