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

import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { digits, ranksText, toText } from '../report/table.js';
import { spreadOf } from '../statistics.js';
import type { Turns } from './play.js';

const DIST = fileURLToPath(new URL('../../../../dist', import.meta.url));
const NO_RECORDER = `
  export const RECORDER_VARIABLE = 'SYNCBN_RECORDER';
  export const recorder = {
    identify() {}, start: () => 0, wait() {}, arrive() {}, end() {}, look() {}, dump() {},
  };
`;

const run = promisify(execFile);
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
  // Microseconds by work, process and build.
  const times = works.map((): number[][] => []);
  for (let i = 0; i < processes; i++) {
    const order = shuffled(builds);
    const played = await play({ order, ranks, works, turns });
    played.forEach((own, w) => {
      times[w].push(builds.map((build) => own.times[order.indexOf(build)]));
    });
  }
  const names = ['this build', ...(positionals.length > 0 ? positionals : ['without recorder'])];
  const rows = works.flatMap((work, w) =>
    names.map((name, k) => {
      const ratios = times[w].map((own) => own[k] / own[0]).sort((a, b) => a - b);
      const { median, runs } = spreadOf(ratios);
      const micros = spreadOf(times[w].map((own) => own[k])).median;
      const shown = [median, ratios[0], ratios[runs - 1]].map((ratio) => ratio.toFixed(3));
      return [work, name, digits(micros), ...shown];
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
  const { stdout } = await run(process.execPath, [script, JSON.stringify(task)]);
  return JSON.parse(stdout);
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((each) => ({ each, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ each }) => each);
}
