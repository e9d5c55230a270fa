/**
 * Latency of an all-reduce of 2C + 1 float64 over MPI, against MPI_Allreduce from C in the same
 * processes, in turns. `npm run build && npx tsx bench/mpi.ts [--ranks 2]`; needs the mpicc of each
 * family that it is to measure. With --network, over TCP between two network namespaces, a rank in
 * each, which `syncrun` starts over MPICH.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { inNetwork, TCP_ONLY } from '../test/mpi/network.js';
import { FAMILIES } from './mpi-families.js';

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

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const counts = CHANNELS.map((channels) => String(2 * channels + 1));
// The build, not the sources: tsx would slow them down, and users do not run them.
const env = { NO_COLOR: '1', TSX_TSCONFIG_PATH: here('../tsconfig.build.json') };

function compile(compiler: string, folder: string): string {
  const library = join(folder, `${compiler}.so`);
  execFileSync(compiler, ['-O2', '-shared', '-fPIC', here('mpi.c'), '-o', library]);
  return library;
}

function linesOf(text: string): Line[] {
  const lines = text.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Line);
}

function measure(family: (typeof FAMILIES)[number], ranks: number, folder: string): Line[] {
  const library = compile(family.compiler, folder);
  const [command, ...options] = family.launcher;
  const program = [process.execPath, '--import', 'tsx', here('mpi-rank.ts'), library, ...counts];
  const text = execFileSync(command, [...options, '-n', String(ranks), ...program], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return linesOf(text);
}

const ON_BOTH = `
for n in 1 2; do (on $n "\${@/NODE_RANK/$((n - 1))}") & done
wait
`;

async function measureNetwork(folder: string): Promise<Line[]> {
  const library = compile('mpicc.mpich', folder);
  const variables = { ...TCP_ONLY, ...env, SYNCBN_SECRET: 'a secret of the benchmark' };
  const { stdout, stderr } = await inNetwork(ON_BOTH, [
    ...['env', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    ...[process.execPath, here('../dist/launch/syncrun.js'), `--log_dir=${folder}`, '--join'],
    ...['--worker_num=2', '--local_worker_num=1', '--node_rank=NODE_RANK'],
    ...['--master_addr=10.77.0.1', here('mpi-rank.ts'), library, ...counts],
  ]);
  if (stderr !== '') console.error(stderr);
  return linesOf(stdout);
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

const { values } = parseArgs({
  options: { ranks: { type: 'string', default: '2' }, network: { type: 'boolean' } },
});
const ranks = Number(values.ranks);
if (!Number.isInteger(ranks) || ranks < 2) {
  throw new RangeError(`bench: ranks must be 2 or more, got ${values.ranks}`);
}
const folder = mkdtempSync(join(tmpdir(), 'syncbn-bench-'));
try {
  if (values.network) show('MPICH over TCP between two hosts', await measureNetwork(folder), 2);
  for (const family of values.network ? [] : FAMILIES) {
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
