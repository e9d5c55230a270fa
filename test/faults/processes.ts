/** Worlds of processes that mpirun starts, one launch for each. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RankEnd, WorldOutcome } from './oracle.js';
import type { Carrier, Plan } from './plan.js';
import type { Report } from './report.js';

const SCRIPT = fileURLToPath(new URL('./process-rank.js', import.meta.url));
/** Milliseconds after which a world counts as hung. */
const LIMIT_MS = 30_000;
/** MiB of heap of each rank of a world in which one exhausts its own. */
const SMALL_HEAP_MB = 24;
/** Characters that are kept of what a launcher says. */
const TAIL = 20_000;

const COMMANDS: Record<Exclude<Carrier, 'threads'>, readonly string[]> = {
  mpich: ['mpiexec.mpich'],
  openmpi: [
    'mpirun.openmpi',
    ...(process.getuid?.() === 0 ? ['--allow-run-as-root'] : []),
    ...['--bind-to', 'none', '--oversubscribe'],
  ],
};

/** Files in which the ranks of a world leave what they have to tell. */
export const FILES = {
  report: (folder: string, rank: number) => join(folder, `rank-${rank}.json`),
  fault: (folder: string) => join(folder, 'fault.json'),
};

export async function runProcesses(plan: Plan): Promise<WorldOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'syncbn-faults-'));
  try {
    const { code, text, hung } = await launchRanks(plan, folder);
    const ranks = Array.from({ length: plan.program.size }, (_, rank): RankEnd => {
      const report = readJson<Report>(FILES.report(folder, rank));
      return { report, hung: hung && report === null, ended: code !== 0 };
    });
    const faultAt = readJson<number>(FILES.fault(folder)) ?? 0;
    const error = code === 0 ? null : { name: `exit code ${code}`, message: text, rank: null };
    return { ranks, faultAt, launch: { error } };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface LauncherEnd {
  readonly code: number | null;
  /** What the launcher and the ranks said. */
  readonly text: string;
  readonly hung: boolean;
}

function launchRanks(plan: Plan, folder: string): Promise<LauncherEnd> {
  const { seed, carrier, kinds, program, fault } = plan;
  const [command, ...options] = COMMANDS[carrier as keyof typeof COMMANDS];
  const heap = fault.kind === 'memory exhausted' ? [`--max-old-space-size=${SMALL_HEAP_MB}`] : [];
  const words = [...options, '-n', String(program.size), process.execPath, ...heap, SCRIPT];
  const task = JSON.stringify({ key: { seed, carrier, kinds }, folder });
  const child = spawn(command, words, {
    env: { ...process.env, SYNCBN_FAULTS: task, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that a world that hangs can be ended whole.
    detached: true,
  });
  return new Promise((resolve, reject) => {
    let text = '';
    let hung = false;
    const limit = setTimeout(() => {
      hung = true;
      endGroup(child);
    }, LIMIT_MS);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (words: string) => {
        text = (text + words).slice(-TAIL);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(limit);
      resolve({ code, text, hung });
    });
  });
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function readJson<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return null;
  }
}
