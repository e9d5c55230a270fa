/** One rank of mpi-network.ts: measures C and this package in turns; rank 0 prints lines of JSON. */

import { createGroup, getGroupSize, init, WORLD_GROUP } from 'syncbn';

/** Calls in a batch, whose time is one sample; samples; batches before the first sample. */
const CALLS = 100;
const SAMPLES = 300;
const WARM_UP = 60;

const [library, ...counts] = process.argv.slice(2);
await init({ timeout: 60 });
const group = createGroup(
  WORLD_GROUP,
  Array.from({ length: getGroupSize() }, (_, rank) => rank),
);

const { default: koffi } = await import('koffi');
const inC = koffi.load(library).func('allreduce_batch', 'double', ['int', 'int']);

function batch(data: Float64Array): number {
  const start = performance.now();
  for (let i = 0; i < CALLS; i++) group.allReduce(data).wait();
  return ((performance.now() - start) / CALLS) * 1000;
}

function quantile(samples: Float64Array, part: number): number {
  return samples.toSorted()[Math.floor(part * (samples.length - 1))];
}

function summary(samples: Float64Array) {
  return {
    median: quantile(samples, 0.5),
    low: quantile(samples, 0.1),
    high: quantile(samples, 0.9),
  };
}

for (const count of counts.map(Number)) {
  // Small enough that 36,000 sums of sums stay finite.
  const data = new Float64Array(count);
  const c = new Float64Array(SAMPLES);
  const js = new Float64Array(SAMPLES);
  for (let i = -WARM_UP; i < SAMPLES; i++) {
    const [inner, outer] = [inC(count, CALLS), batch(data)];
    if (i >= 0) [c[i], js[i]] = [inner, outer];
  }
  if (group.rank === 0) {
    console.log(JSON.stringify({ count, c: summary(c), js: summary(js) }));
  }
}
