/**
 * Latency of an all-reduce of 2C + 1 float64 between two hosts, against MPI_Allreduce from C in the
 * same processes, in turns: MPICH over TCP between two network namespaces of this machine, a rank
 * in each, started by syncrun. `npm run build && npx tsx bench/mpi-network.ts`; needs mpicc.mpich,
 * root and iproute2. Between processes of one host: `npm run bench -- --compare`.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { inNetwork, TCP_ONLY } from '../test/mpi/network.js';

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

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const counts = CHANNELS.map((channels) => String(2 * channels + 1));
// The build, not the sources: tsx would slow them down, and users do not run them.
const env = { NO_COLOR: '1', TSX_TSCONFIG_PATH: here('../tsconfig.build.json') };

function linesOf(text: string): Line[] {
  const lines = text.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Line);
}

const ON_BOTH = `
for n in 1 2; do (on $n "\${@/NODE_RANK/$((n - 1))}") & done
wait
`;

async function measure(folder: string): Promise<Line[]> {
  const library = join(folder, 'mpi.so');
  const source = here('collectives/mpi.c');
  execFileSync('mpicc.mpich', ['-O2', '-shared', '-fPIC', source, '-o', library]);
  const variables = { ...TCP_ONLY, ...env, SYNCBN_SECRET: 'a secret of the benchmark' };
  const { stdout, stderr } = await inNetwork(ON_BOTH, [
    ...['env', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    ...[process.execPath, here('../dist/launch/syncrun/main.js'), `--log_dir=${folder}`, '--join'],
    ...['--worker_num=2', '--local_worker_num=1', '--node_rank=NODE_RANK'],
    ...['--master_addr=10.77.0.1', here('mpi-network-rank.ts'), library, ...counts],
  ]);
  if (stderr !== '') console.error(stderr);
  return linesOf(stdout);
}

function show(lines: readonly Line[]): void {
  const table = new Table({
    head: ['C', 'float64', 'MPI from C, µs', 'syncbn, µs', 'ratio'],
  });
  const text = ({ median, low, high }: Spread) =>
    `${median.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
  for (const { count, c, js } of lines) {
    const channels = (count - 1) / 2;
    const ratio = (js.median / c.median).toFixed(2);
    table.push([channels, count, text(c), text(js), ratio]);
  }
  console.log('MPICH over TCP between two hosts: median (10th to 90th percentile)');
  console.log(table.toString());
}

const folder = mkdtempSync(join(tmpdir(), 'syncbn-bench-'));
try {
  show(await measure(folder));
} finally {
  rmSync(folder, { recursive: true });
}
