/** Steps free what they make, on jax-js' side and on JavaScript's. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { init as initJax, numpy as np, tree } from '@jax-js/jax';
import { init, SyncBatchNorm } from 'syncbn';
import { network, stage } from 'syncbn/jax';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { StepReport } from '../ranks/run-jax.js';
import { liveArrayCounter } from './live-arrays.js';
import { models } from './models.js';
import { randomArray, samples } from './parts.js';

// Some seconds where nothing else runs.
vi.setConfig({ testTimeout: 240_000 });

let count: () => number;

beforeAll(async () => {
  await initJax('wasm');
  await init();
  count = liveArrayCounter();
});
afterAll(closeSharedWorlds);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapMegabytes(): number {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

test.each(['mlp', 'cnn', 'siamese'] as const)(
  '500 steps of %s leave no array and no memory',
  (name) => {
    const { cut, shape } = models[name];
    const net = cut();
    const parameters = net.initialParameters();
    const [x, labels] = samples(shape, 0, 4);
    const steps = (times: number) => {
      for (let i = 0; i < times; i++) {
        const work = net.lossAndGradients(tree.ref(parameters), x.ref, labels.ref);
        tree.dispose(work.wait().gradients);
        net.predict(tree.ref(parameters), x.ref).dispose();
      }
    };
    // Compiled code and optimized functions take their room first.
    steps(150);
    const before = { arrays: count(), heap: heapMegabytes() };
    steps(500);
    expect(count()).toBe(before.arrays);
    // One program built anew in each step would be 14 KB a step, 7 MB in all.
    expect(heapMegabytes() - before.heap).toBeLessThan(3);
  },
);

test.each(['wait', 'done'])('ranks free what steps make, by %s', async (how) => {
  const script = { model: 'cnn', how, steps: 6 };
  const sizes = [3, 0, 2];
  const reports = await sharedWorld(3).results<StepReport>('jax-steps', (rank) => ({
    ...script,
    from: 0,
    to: sizes[rank],
  }));
  expect(reports.map(({ leaked }) => leaked)).toEqual([0, 0, 0]);
});

test('calls that fail free what they were given', () => {
  const net = models.mlp.cut();
  const parameters = net.initialParameters();
  const before = count();
  const attempt = (columns: number, names: object) => () => {
    const labels = np.array(new Int32Array(4));
    const given = { ...tree.ref(parameters), ...names };
    net.lossAndGradients(given, randomArray([4, columns], 1), labels);
  };
  expect(attempt(7, {})).toThrow(/shape|contract/i);
  expect(attempt(6, { more: [] })).toThrow('unknown: more');
  expect(() => net.predict(tree.ref(parameters), randomArray([4, 7], 1))).toThrow();
  expect(count()).toBe(before);
});

test('a stage that throws in the last span frees all of the step', () => {
  let fails = false;
  const net = network(
    {
      linear: stage(
        () => ({ w: randomArray([4], 1) }),
        (x, { w }) => x.mul(w),
      ),
      bn: new SyncBatchNorm(4),
    },
    {
      loss: (x, _: np.Array) => {
        if (fails) throw new Error('no loss today');
        return x.ref.mul(x).mean();
      },
    },
  );
  const parameters = net.initialParameters();
  const run = (size: number) => {
    const batch = randomArray([size, 4], 1);
    const work = net.lossAndGradients(tree.ref(parameters), batch, randomArray([size], 2));
    tree.dispose(work.wait().gradients);
  };
  run(3);
  const before = count();
  fails = true;
  expect(() => run(5)).toThrow('no loss today');
  expect(count()).toBe(before);
});
