/**
 * `npm run build && npx tsc -p tsconfig.bench.json`, then
 * node build/bench/bench/mpi-forward.js [--shapes ABCDEFL] [--ranks 2] [--runs 3]
 *
 * SyncBN forward over MPI against the same over threads, in turns: minima over all runs, and
 * medians of the runs' medians.
 */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import Table from 'cli-table3';
import { createThreadWorld } from '../src/group/thread/world.js';
import { FAMILIES } from './mpi-families.js';
import type { ForwardTimes } from './mpi-forward-rank.js';

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'ABCDEFL' },
    ranks: { type: 'string', default: '2' },
    runs: { type: 'string', default: '3' },
  },
});
const program = new URL('./mpi-forward-rank.js', import.meta.url);
const ranks = Number(values.ranks);

async function onThreads(): Promise<ForwardTimes[]> {
  const lines: ForwardTimes[] = [];
  const workers = createThreadWorld(ranks).map((syncbn) => {
    const worker = new Worker(program, { workerData: { syncbn }, argv: [values.shapes] });
    worker.on('message', (line: ForwardTimes) => lines.push(line));
    return new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
  });
  await Promise.all(workers);
  return lines;
}

function overMpi([command, ...options]: readonly string[]): ForwardTimes[] {
  const args = [fileURLToPath(program), values.shapes];
  const text = execFileSync(command, [...options, '-n', String(ranks), process.execPath, ...args], {
    encoding: 'utf8',
  });
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The best and the middle of several runs of one shape. */
function spread(runs: readonly ForwardTimes[][], index: number): [number, number] {
  const medians = runs.map((run) => run[index].median).sort((a, b) => a - b);
  return [Math.min(...runs.map((run) => run[index].min)), medians[medians.length >> 1]];
}

const threads: ForwardTimes[][] = [];
const overFamily = FAMILIES.map((): ForwardTimes[][] => []);
for (let run = 0; run < Number(values.runs); run++) {
  threads.push(await onThreads());
  for (const [i, { launcher }] of FAMILIES.entries()) overFamily[i].push(overMpi(launcher));
}
const table = new Table({
  head: ['shape', 'over', 'min, µs', 'ratio', 'median, µs', 'ratio'],
  style: { head: [], border: [] },
});
for (const [s, shape] of [...values.shapes].entries()) {
  const [base, middle] = spread(threads, s);
  table.push([shape, 'threads', base.toFixed(1), '', middle.toFixed(1), '']);
  FAMILIES.forEach(({ name }, f) => {
    const [min, median] = spread(overFamily[f], s);
    const ratios = [min / base, median / middle].map((ratio) => ratio.toFixed(2));
    table.push([shape, name, min.toFixed(1), ratios[0], median.toFixed(1), ratios[1]]);
  });
}
console.log(table.toString());
