/**
 * Short all-reduces and layers by other builds of the package, over those of this one:
 *
 *     npm run build && npx tsc -p tsconfig.bench.json
 *     node build/bench/bench/builds/run.js --works "sum 129,gather 131,forward B,training B" OTHER/dist
 *     node build/bench/bench/builds/run.js --ranks 1 --works "forward L" OTHER/dist
 *     node build/bench/bench/builds/run.js            # a copy whose flight recorder does nothing
 *
 * All builds run in the same threads, in short turns, in several processes one after the other:
 * where a process's memory lies moves a ratio by 5 %, and two pairs of threads differ by 50 %.
 */

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ranksText, toText } from '../report/table.js';
import type { Turns } from './play.js';

const DIST = fileURLToPath(new URL('../../../../dist', import.meta.url));
const NO_RECORDER = `
  export const RECORDER_VARIABLE = 'SYNCBN_RECORDER';
  export const recorder = {
    identify() {}, start: () => 0, wait() {}, arrive() {}, end() {}, look() {}, dump() {},
  };
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ranks: { type: 'string', default: '2' },
    works: { type: 'string', default: 'sum 65,sum 129,sum 257,sum 513' },
    processes: { type: 'string', default: '9' },
    turns: { type: 'string', default: '20' },
  },
});
const works = values.works.split(',');
const [ranks, processes, turns] = [values.ranks, values.processes, values.turns].map(Number);
const folder = mkdtempSync(join(tmpdir(), 'syncbn-builds-'));
try {
  const others = positionals.map((path) => resolve(path));
  if (others.length === 0) others.push(withoutRecorder());
  const builds = [DIST, ...others];
  const ratios = new Map<string, number[]>();
  const micros = new Map<string, number[]>();
  for (let i = 0; i < processes; i++) {
    const order = shuffled(builds);
    for (const { work, times } of await play({ order, ranks, works, turns })) {
      const own = times[order.indexOf(DIST)];
      order.forEach((build, k) => {
        const key = `${work} ${builds.indexOf(build)}`;
        ratios.set(key, [...(ratios.get(key) ?? []), times[k] / own]);
        micros.set(key, [...(micros.get(key) ?? []), times[k]]);
      });
    }
  }
  const names = ['this build', ...(positionals.length > 0 ? positionals : ['without recorder'])];
  const rows = works.flatMap((work) =>
    names.map((name, k) => {
      const sorted = ratios.get(`${work} ${k}`)!.toSorted((a, b) => a - b);
      const [median, low, high] = [0.5, 0, 1].map((share) => at(sorted, share).toFixed(3));
      const time = at(
        micros.get(`${work} ${k}`)!.toSorted((a, b) => a - b),
        0.5,
      ).toFixed(2);
      return [work, name, time, median, low, high];
    }),
  );
  console.log(
    toText({
      title: `Builds over this one, ${ranksText(ranks)}`,
      legend:
        `Medians of ${processes} processes, with the least and the largest ratio. Sums are of ` +
        'float64; training is forward and backward.',
      head: ['work', 'build', 'µs', 'ratio', 'least', 'largest'],
      rows,
    }),
  );
} finally {
  rmSync(folder, { recursive: true });
}

function withoutRecorder(): string {
  const copy = join(folder, 'dist');
  cpSync(DIST, copy, { recursive: true });
  writeFileSync(join(copy, 'group/rounds/recorder.js'), NO_RECORDER);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  return copy;
}

/** The turns of one new process. */
async function play(task: object): Promise<Turns[]> {
  const script = fileURLToPath(new URL('./play.js', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (part) => {
    text += part;
  });
  const code = await new Promise((settle) => child.on('close', settle));
  if (code !== 0) throw new Error(`play.js ended with ${code}`);
  return JSON.parse(text);
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((each) => ({ each, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ each }) => each);
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(share * (sorted.length - 1))];
}
