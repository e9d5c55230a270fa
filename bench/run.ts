/**
 * npm run bench -- [--shapes ABCDEFL] [--ranks 2] [--relaxed] [--seconds 1] [--mean 0.5] [--json]
 *
 * Forward and backward of one rank and of several at the same time, against copy and triad in the
 * same memory, interleaved, after warm-up. Ratios are of minima; medians follow with their spread
 * (10 % to 90 %). Every result is checked against float64 before it is timed.
 */

import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { exchangeMemory } from './exchange.js';
import type { Measurement, RankData } from './rank.js';
import { GOALS, SHAPE_NAMES, type ShapeName } from './shapes.js';

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: SHAPE_NAMES.join('') },
    ranks: { type: 'string', default: '2' },
    relaxed: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '1' },
    mean: { type: 'string', default: '0.5' },
    json: { type: 'boolean', default: false },
  },
});
const ranks = Number(values.ranks);
const memory = exchangeMemory(ranks);
const shapes = [...values.shapes] as ShapeName[];
for (let rank = 0; rank < ranks; rank++) {
  const workerData: RankData = {
    memory,
    rank,
    ranks,
    shapes,
    relaxed: values.relaxed,
    seconds: Number(values.seconds),
    mean: Number(values.mean),
  };
  const worker = new Worker(new URL('./rank.js', import.meta.url), { workerData });
  worker.on('message', (measurement: Measurement) => report(measurement));
  worker.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
}

function at(times: number[], share: number): number {
  return times[Math.floor(share * (times.length - 1))];
}

function report(m: Measurement): void {
  if (values.json) {
    console.log(JSON.stringify({ ...m, ranks, times: summarize(m) }));
    return;
  }
  const { copy, triad, forward, backward } = m.times;
  const goals = GOALS[m.shape][m.channelsLast ? 'last' : 'first'];
  console.log(
    `${m.shape} ${m.channelsLast ? 'last ' : 'first'}  ${line('forward', forward, 'copy', copy, 2, goals?.[0])}`,
  );
  console.log(`         ${line('backward', backward, 'triad', triad, 3, goals?.[1])}`);
  console.log(`         error ${m.error.toExponential(1)}, ${m.kernels}, ${ranks} ranks`);

  function line(
    name: string,
    times: number[],
    limitName: string,
    limit: number[],
    moved: number,
    goal = Number.NaN,
  ): string {
    const ratio = times[0] / limit[0];
    const value = m.shape === 'L' ? times[0] : ratio;
    const unit = m.shape === 'L' ? ' us' : '';
    const rate = (list: number[]) => ((m.bytes * moved) / list[0] / 1000).toFixed(1);
    const spread = `${at(times, 0.1).toFixed(1)}-${at(times, 0.9).toFixed(1)}`;
    return (
      `${name.padEnd(8)} ${times[0].toFixed(1).padStart(7)} us ${rate(times).padStart(5)} GB/s` +
      `  / ${limitName} ${rate(limit).padStart(5)} GB/s = ${ratio.toFixed(2)}` +
      `  (medians ${at(times, 0.5).toFixed(1)} [${spread}], ratio ` +
      `${(at(times, 0.5) / at(limit, 0.5)).toFixed(2)})` +
      `  goal ${goal}${unit} ${value <= goal ? 'reached' : 'missed'}`
    );
  }
}

function summarize(m: Measurement) {
  const entries = Object.entries(m.times).map(([name, times]) => {
    const [min, p10, median, p90] = [0, 0.1, 0.5, 0.9].map((share) => at(times, share));
    return [name, { min, p10, median, p90, runs: times.length }];
  });
  return Object.fromEntries(entries);
}
