/** Starts rank programs under the MPI launchers of this machine. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Family {
  readonly name: string;
  /** The launcher and its options, before the number of ranks. */
  readonly command: readonly string[];
}

/** More ranks than cores must share them: no pinning, and a launcher that accepts it. */
export const OPEN_MPI: Family = {
  name: 'Open MPI',
  command: [
    'mpirun.openmpi',
    ...(process.getuid?.() === 0 ? ['--allow-run-as-root'] : []),
    ...['--bind-to', 'none', '--oversubscribe'],
  ],
};
export const MPICH: Family = { name: 'MPICH', command: ['mpiexec.mpich'] };

/** How frames travel between ranks of one host. */
export interface Carrier {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  /** Whether groups share memory. */
  readonly shares: boolean;
}

export const CARRIERS: readonly Carrier[] = [
  { name: 'in shared memory', env: {}, shares: true },
  { name: 'as messages', env: { SYNCBN_MPI_FRAMES: 'messages' }, shares: false },
];

export interface Outcome {
  /** Exit code of the launcher; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** Path of a compiled rank program. */
export function rankProgram(name: string): string {
  return fileURLToPath(new URL(`../../build/test/ranks/${name}.js`, import.meta.url));
}

/** Runs `args` with node as `ranks` ranks; kills them all after `limit` seconds. */
export function runRanks(
  family: Family,
  ranks: number,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  limit = 100,
): Promise<Outcome> {
  const [command, ...options] = family.command;
  return run(command, [...options, '-n', String(ranks), process.execPath, ...args], env, limit);
}

export function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  limit: number,
): Promise<Outcome> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, NO_COLOR: '1', ...env } });
    const kill = setTimeout(() => child.kill('SIGKILL'), limit * 1000);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(kill);
      resolve({ code, stdout, stderr, seconds: (performance.now() - start) / 1000 });
    });
  });
}
