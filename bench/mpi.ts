/**
 * Latency of an all-reduce of 2C + 1 float64 over MPI, against MPI_Allreduce from C in the same
 * processes, in turns. `npm run build && npx tsx bench/mpi.ts [ranks]`; needs the mpicc of each family
 * that it is to measure.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';

interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

interface Line {
  readonly count: number;
  readonly c: Spread;
  readonly js: Spread;
}

const CHANNELS = [64, 128, 256, 512, 1024, 2048];
/** Most times C's that a call may take, by channels; others are shown only. */
const GOALS: Record<number, number> = { 64: 1.6, 1024: 1.1, 2048: 1.1 };

const ROOT = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];
const FAMILIES = [
  {
    name: 'Open MPI',
    compiler: 'mpicc.openmpi',
    launcher: ['mpirun.openmpi', ...ROOT, '--bind-to', 'none', '--oversubscribe'],
  },
  { name: 'MPICH', compiler: 'mpicc.mpich', launcher: ['mpiexec.mpich'] },
];

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

function measure(family: (typeof FAMILIES)[number], ranks: number, folder: string): Line[] {
  const library = join(folder, `${family.compiler}.so`);
  execFileSync(family.compiler, ['-O2', '-shared', '-fPIC', here('mpi.c'), '-o', library]);
  const [command, ...options] = family.launcher;
  const counts = CHANNELS.map((channels) => String(2 * channels + 1));
  const program = [process.execPath, '--import', 'tsx', here('mpi-rank.ts'), library, ...counts];
  const text = execFileSync(command, [...options, '-n', String(ranks), ...program], {
    encoding: 'utf8',
    // The build, not the sources: tsx would slow them down, and users do not run them.
    env: { ...process.env, NO_COLOR: '1', TSX_TSCONFIG_PATH: here('../tsconfig.build.json') },
  });
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function show(name: string, lines: readonly Line[], ranks: number): void {
  const table = new Table({
    head: ['C', 'float64', 'MPI from C, µs', 'syncbn, µs', 'ratio', 'goal'],
  });
  const text = ({ median, low, high }: Spread) =>
    `${median.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
  for (const { count, c, js } of lines) {
    const channels = (count - 1) / 2;
    const ratio = (js.median / c.median).toFixed(2);
    table.push([channels, count, text(c), text(js), ratio, GOALS[channels] ?? '']);
  }
  console.log(`${name}, ${ranks} ranks: median (10th to 90th percentile)`);
  console.log(table.toString());
}

const ranks = Number(process.argv[2] ?? 2);
if (!Number.isInteger(ranks) || ranks < 2) {
  throw new RangeError(`bench: ranks must be 2 or more, got ${process.argv[2]}`);
}
const folder = mkdtempSync(join(tmpdir(), 'syncbn-bench-'));
try {
  for (const family of FAMILIES) {
    try {
      show(family.name, measure(family, ranks, folder), ranks);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      console.log(`${family.compiler} is not here: not measured`);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
