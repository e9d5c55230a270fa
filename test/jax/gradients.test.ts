/** Loss, gradients and running statistics on 1 to 4 ranks against the uncut network on all samples. */

import { init as initJax, jit, numpy as np, tree, valueAndGrad } from '@jax-js/jax';
import { init, SyncBatchNorm, Tensor } from 'syncbn';
import type { Tree } from 'syncbn/jax';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { expectClose, expectSame } from '../harness/numbers.js';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { Share, StepReport, StepScript } from '../ranks/run-jax.js';
import { mlp, models, type TestModel } from './models.js';
import { plainNorm, randomArray, samples } from './parts.js';

// Every rank compiles the network for itself: a second or two each where nothing else runs.
vi.setConfig({ testTimeout: 240_000 });

beforeAll(async () => {
  await initJax('wasm');
  await init();
});
afterAll(closeSharedWorlds);

/** Largest difference of a gradient, as a part of the largest element of all gradients. */
const TOLERANCE = 2e-6;

interface Expected {
  loss: number;
  gradients: Float32Array[];
  /** Of the batch. */
  inputs: Float32Array;
}

/** `valueAndGrad` of the uncut network on samples 0 to `count`. */
function uncut(model: TestModel, count: number): Expected {
  const [x, labels] = samples(model.shape, 0, count);
  const parameters = model.cut().initialParameters();
  const run = ({ p, a }: { p: Tree; a: np.Array }, b: np.Array) => model.uncut(p, a, b);
  const both = jit(valueAndGrad(run));
  const [loss, gradients] = both({ p: parameters, a: x }, labels);
  both.dispose();
  const [inputs] = valuesOf(gradients.a);
  return { loss: loss.item(), gradients: valuesOf(gradients.p), inputs };
}

function valuesOf(arrays: Tree): Float32Array[] {
  return tree.leaves<np.Array>(arrays).map((array) => array.dataSync() as Float32Array);
}

function expectGradients(actual: Float32Array[], expected: Float32Array[]): void {
  const scale = Math.max(...expected.flatMap((values) => [...values].map(Math.abs)));
  expect(actual.length).toBe(expected.length);
  actual.forEach((values, i) => {
    expect(values.length).toBe(expected[i].length);
    const off = values.map((value, j) => Math.abs(value - expected[i][j]) / scale);
    expect(Math.max(...off)).toBeLessThan(TOLERANCE);
  });
}

/** Neighbouring shares of the given sizes. */
function shares(sizes: readonly number[]): Share[] {
  let from = 0;
  return sizes.map((size) => {
    const share = { from, to: from + size };
    from += size;
    return share;
  });
}

function runSteps(sizes: readonly number[], script: Omit<StepScript, 'from' | 'to'>) {
  const split = shares(sizes);
  return sharedWorld(sizes.length).results<StepReport>('jax-steps', (rank) => ({
    ...script,
    ...split[rank],
  }));
}

const SPLITS = [[8], [4, 4], [7, 1], [0, 8], [3, 3, 2], [4, 0, 4], [2, 2, 2, 2], [0, 5, 0, 3]];

describe.each(['mlp', 'cnn', 'sequence', 'siamese'] as const)('%s', (name) => {
  const expected = () => uncut(models[name], 8);

  // What differs in the siamese network does not depend on the split.
  const splits = name === 'siamese' ? [[8], [3, 3, 2], [0, 8]] : SPLITS;
  test.each(splits.map((sizes) => ({ sizes })))(
    'agrees with the uncut network for samples split into $sizes',
    async ({ sizes }) => {
      const { loss, gradients } = expected();
      const how = sizes[0] === sizes.at(-1) ? 'wait' : 'done';
      const reports = await runSteps(sizes, { model: name, how });
      for (const report of reports) {
        expect(report.samples).toBe(8);
        expectClose([report.loss], [loss], 1e-6);
        expectGradients(report.gradients, gradients);
      }
    },
  );

  test.each([[[8]], [[3, 0, 5]]])(
    'gives the gradients of the batch, too, for samples split into %j',
    async (sizes) => {
      const { gradients, inputs } = expected();
      const reports = await runSteps(sizes, {
        ...{ model: name, how: 'wait', steps: 2, inputGradients: true },
      });
      const parts = reports.map((report) => report.inputs!);
      expect(parts.map(({ length }) => length)).toEqual(
        sizes.map((size) => (size * inputs.length) / 8),
      );
      expectGradients([Float32Array.from(parts.flatMap((part) => [...part]))], [inputs]);
      expectGradients(reports[0].gradients, gradients);
      expect(reports.map(({ leaked }) => leaked)).toEqual(sizes.map(() => 0));
    },
  );

  test('gives every rank the same bits, and as many samples as there are', async () => {
    const reports = await runSteps([1, 0, 4, 2], { model: name, how: 'wait', steps: 2 });
    for (const report of reports) {
      expect(report.samples).toBe(7);
      expect(report.loss).toBe(reports[0].loss);
      report.gradients.forEach((g, i) => {
        expectSame(g, reports[0].gradients[i]);
      });
      report.running.forEach((r, i) => {
        expectSame(r, reports[0].running[i]);
      });
    }
  });

  test('leaves parts that average to the same by sample counts, when told not to', async () => {
    const { loss, gradients } = expected();
    const sizes = [5, 0, 3];
    const reports = await runSteps(sizes, { model: name, how: 'wait', average: false });
    const mean = (of: (report: StepReport) => number) =>
      reports.reduce((sum, report, rank) => sum + (of(report) * sizes[rank]) / 8, 0);
    expect(reports.map((report) => report.samples)).toEqual(sizes);
    expectClose([mean((report) => report.loss)], [loss], 1e-6);
    expectGradients(
      gradients.map((values, i) => values.map((_, j) => mean((r) => r.gradients[i][j]))),
      gradients,
    );
  });

  test('gives zeros and keeps the running statistics where no rank has a sample', async () => {
    for (const report of await runSteps([0, 0], { model: name, how: 'wait' })) {
      expect(report.loss).toBe(0);
      expect(report.samples).toBe(0);
      for (const gradient of report.gradients) expect(gradient.every((g) => g === 0)).toBe(true);
      for (const values of report.running) {
        expect([...values]).toEqual([...values].map((_, i) => (i < values.length / 2 ? 0 : 1)));
      }
    }
  });
});

test.each([
  { sizes: [8], options: {} },
  { sizes: [5, 3], options: {} },
  { sizes: [4, 0, 4], options: { momentum: null } },
])('running statistics are those of SyncBatchNorm on all samples, $sizes', async (given) => {
  const { sizes, options } = given;
  const [x, labels] = samples([6], 0, 8);
  const { linear1 } = mlp.cut().initialParameters();
  const inputs = np.dot(x, linear1.w).dataSync() as Float32Array;
  labels.dispose();
  const layer = new SyncBatchNorm(12, options);
  for (let step = 0; step < 3; step++) layer.forward(Tensor.from(inputs, [8, 12]));
  const expected = [...layer.runningMean!.toFloats(), ...layer.runningVar!.toFloats()];
  const reports = await runSteps(sizes, { model: 'mlp', how: 'wait', options, steps: 3 });
  for (const report of reports) expectClose(report.running[0], expected, 1e-6);
});

test('ranks of blocks normalise by their block, and average over the world', async () => {
  const split = shares([3, 1, 2, 2]);
  const world = sharedWorld(4);
  const blocks = await world.results<StepReport>('jax-blocks', (rank) => split[rank]);
  const { loss, gradients } = twoBlocks(4);
  for (const report of blocks) {
    expectClose([report.loss], [loss], 1e-6);
    expectGradients(report.gradients, gradients);
  }
  expectSame(blocks[0].running[0], blocks[1].running[0]);
  expect([...blocks[2].running[0]]).not.toEqual([...blocks[0].running[0]]);
});

/** The network of 'jax-blocks' on two blocks of `size` samples each, uncut. */
function twoBlocks(size: number): Expected {
  const parameters = {
    linear: { w: randomArray([6, 4], 1) },
    norm: { gamma: np.ones([4]), beta: np.zeros([4]) },
    head: { w: randomArray([4, 1], 2) },
  };
  type P = typeof parameters;
  const block = (p: P, from: number) => {
    const [x, labels] = samples([6], from, from + size);
    const normed = plainNorm(np.dot(x, p.linear.w), p.norm.gamma, p.norm.beta);
    const out = np.dot(np.tanh(normed), p.head.w).reshape([-1]);
    return np.mean(np.square(out.sub(labels.astype(np.float32))));
  };
  const mean = (p: P) => block(tree.ref(p), 0).add(block(p, size)).div(2);
  const [loss, gradients] = valueAndGrad(mean)(parameters);
  return { loss: loss.item(), gradients: valuesOf(gradients), inputs: new Float32Array() };
}
