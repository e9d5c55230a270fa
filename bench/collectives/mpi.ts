/** Worlds of MPI processes as contestants, of each family whose launcher is on the PATH. */

import { execFile, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ended, lastWordsOf } from '../turns/children.js';
import { type Contestant, LinkedContestant } from '../turns/contestant.js';
import { makeFolder } from '../turns/folders.js';
import { LineLink } from '../turns/lines.js';

export interface MpiFamily {
  readonly name: string;
  /** What its launcher says of its version. */
  readonly says: RegExp;
  readonly launcher: string;
  /** Debian's names say which family a command belongs to; others have one family. */
  readonly suffixes: readonly string[];
  readonly options: readonly string[];
}

const ROOT = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];

export const MPI_FAMILIES: readonly MpiFamily[] = [
  {
    name: 'Open MPI',
    says: /Open MPI|OpenRTE/,
    launcher: 'mpirun',
    suffixes: ['.openmpi', ''],
    options: [...ROOT, '--bind-to', 'none', '--oversubscribe'],
  },
  {
    name: 'MPICH',
    says: /HYDRA|MPICH/,
    launcher: 'mpiexec',
    suffixes: ['.mpich', ''],
    options: [],
  },
];

/** Seconds until all ranks must have started. */
const START_SECONDS = 60;

/** A rank's process, which has said who it is. */
interface Arrival {
  readonly rank: number;
  readonly version: string;
  readonly link: LineLink;
  readonly socket: Socket;
}

/** What the ranks run: a program, and what it calls in C. */
export interface MpiProgram {
  readonly script: URL;
  /** Path of the source from the project's root. */
  readonly source: string;
}

/** MPI_Allreduce of float64. */
export const SUMS: MpiProgram = {
  script: new URL('./mpi-rank.js', import.meta.url),
  source: 'bench/collectives/mpi.c',
};

/** A world of `ranks` processes; null where the family's launcher is not there. */
export async function startMpi(
  family: MpiFamily,
  ranks: number,
  { script: program, source }: MpiProgram,
): Promise<Contestant | null> {
  const suffix = await suffixOf(family);
  if (suffix === null) return null;
  const folder = makeFolder();
  const library = await compile(`mpicc${suffix}`, source, folder);
  const path = join(folder, 'socket');
  const server = createServer().listen(path);
  await once(server, 'listening');
  const script = [
    process.execPath,
    fileURLToPath(program),
    path,
    ...(library === null ? [] : [library]),
  ];
  const args = [...family.options, '-n', String(ranks), ...script];
  const child = spawn(family.launcher + suffix, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const lastWords = lastWordsOf(child);
  const close = async (arrivals: readonly Arrival[]) => {
    if (arrivals.length === 0) child.kill();
    for (const { socket } of arrivals) socket.end();
    await ended(child);
    server.close();
  };
  try {
    const failed = once(child, 'exit').then(() => {
      throw new Error(`${family.name} did not start: ${lastWords()}`);
    });
    const late = sleep(START_SECONDS * 1000, null, { ref: false }).then(() => {
      throw new Error(`${family.name} did not start in ${START_SECONDS} seconds: ${lastWords()}`);
    });
    const arrivals = await Promise.race([arrive(server, ranks, lastWords), failed, late]);
    // Of no interest from now on: a missing reply tells the same.
    for (const promise of [failed, late]) promise.catch(() => {});
    const name = `${arrivals[0].version}${library === null ? ' through koffi' : ' from C'}`;
    const links = arrivals.map(({ link }) => link);
    return new LinkedContestant(name, links, () => close(arrivals));
  } catch (error) {
    await close([]);
    throw error;
  }
}

/** All ranks' processes, in rank order; they connect in any. */
async function arrive(server: Server, ranks: number, lastWords: () => string): Promise<Arrival[]> {
  const arrivals: Promise<Arrival>[] = [];
  for await (const [socket] of on(server, 'connection')) {
    const link = new LineLink(socket, socket, lastWords);
    arrivals.push(
      link.read<{ rank: number; version: string }>().then((a) => ({ ...a, link, socket })),
    );
    if (arrivals.length === ranks) break;
  }
  return (await Promise.all(arrivals)).sort((a, b) => a.rank - b.rank);
}

/** Null where no launcher is of the family. */
async function suffixOf({ launcher, suffixes, says }: MpiFamily): Promise<string | null> {
  for (const suffix of suffixes) {
    if (says.test((await versionText(launcher + suffix)) ?? '')) return suffix;
  }
  return null;
}

/** What `--version` says; null where there is no such command. */
async function versionText(command: string): Promise<string | null> {
  try {
    return (await promisify(execFile)(command, ['--version'])).stdout;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** A source as a library; null without a compiler. */
async function compile(compiler: string, source: string, folder: string): Promise<string | null> {
  if ((await versionText(compiler)) === null) return null;
  const library = join(folder, 'mpi.so');
  // Vectors of the compiler's own choice, as MPI itself has them.
  const options = ['-O3', '-shared', '-fPIC', resolve(source), '-o', library];
  await promisify(execFile)(compiler, options);
  return library;
}
