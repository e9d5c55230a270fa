/** What goes wrong says so: at the call, and on every rank that would wait. */

import { init as initJax, numpy as np, tree } from '@jax-js/jax';
import { type AnySyncBatchNorm, init, isInitialized, release, SyncBatchNorm } from 'syncbn';
import { again, broadcastTree, network, stage, type Tree } from 'syncbn/jax';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { StepReport, StepScript } from '../ranks/run-jax.js';
import { mlp } from './models.js';
import { randomArray, samples } from './parts.js';

vi.setConfig({ testTimeout: 120_000 });
beforeAll(() => initJax('wasm'));
beforeEach(() => init());
afterAll(closeSharedWorlds);

const loss = (x: np.Array, _: np.Array) => np.sum(x);

/** Starts and waits for a step on a batch of shape (4, 6). */
function step(net: ReturnType<typeof network<Record<string, AnySyncBatchNorm>, np.Array>>): void {
  net.lossAndGradients(net.initialParameters(), randomArray([4, 6], 1), np.zeros([4])).wait();
}

describe('network refuses', () => {
  const bn = () => new SyncBatchNorm(6);
  test.each([
    [
      'what is no layer',
      () => network({ a: 3 as never }, { loss }),
      TypeError,
      /'a' must be a stage/,
    ],
    ['no loss', () => network({ bn: bn() }, {} as never), TypeError, /loss must be a function/],
    [
      'unknown options',
      () => network({}, { loss, eps: 1 } as never),
      TypeError,
      /unknown option 'eps'/,
    ],
    ['names that are numbers', () => network({ '1': bn() }, { loss }), RangeError, /got '1'/],
    [
      'one layer at two places',
      () => {
        const layer = bn();
        return network({ a: layer, b: layer }, { loss });
      },
      RangeError,
      /'a' and 'b' are one layer; write again\('a'\) for 'b' to run it twice/,
    ],
    [
      'to run again what is not there',
      () => network({ a: bn(), b: again('aa') }, { loss }),
      RangeError,
      /'b' runs 'aa' again, and before it are a; did you mean 'a'\?/,
    ],
    [
      'to run again what comes later',
      () => network({ b: again('a'), a: bn() }, { loss }),
      RangeError,
      /'b' runs 'a' again, and before it are none/,
    ],
    [
      'float64 layers',
      () => network({ bn: new SyncBatchNorm(6, { dtype: 'float64' }) }, { loss }),
      RangeError,
      /'bn' has dtype float64/,
    ],
    [
      'reproducible layers',
      () => network({ bn: new SyncBatchNorm(6, { reproducible: true }) }, { loss }),
      RangeError,
      /'bn' cannot be reproducible/,
    ],
    [
      'masks of what is no normalisation',
      () => network({ bn: bn() }, { loss, masks: { b: () => np.zeros([4]) } }),
      RangeError,
      /'b' is none/,
    ],
    [
      'masks that are no functions',
      () => network({ bn: bn() }, { loss, masks: { bn: [1] as never } }),
      TypeError,
      /mask of 'bn' must be a function/,
    ],
    ['a stage of no function', () => stage(3 as never), TypeError, /all functions/],
  ])('%s', (_, make, kind, message) => {
    expect(make).toThrow(kind);
    expect(make).toThrow(message);
  });
});

test('a step refuses a mask of another shape', () => {
  const net = network({ bn: new SyncBatchNorm(6) }, { loss, masks: { bn: () => np.zeros([3]) } });
  expect(() => step(net as never)).toThrow(
    'the mask of an input of shape (4, 6) must have shape (4,), got float32 (3,)',
  );
});

describe('a step refuses', () => {
  const of = (layer: SyncBatchNorm, result: (x: np.Array) => unknown = (x) => x) =>
    network(
      { part: stage((x) => result(x) as np.Array), bn: layer },
      { loss },
    ) as unknown as Parameters<typeof step>[0];

  test('another number of channels', () => {
    const channels = /SyncBatchNorm 'bn9': expected 5 channels on axis 1, got 6 in shape \(4, 6\)/;
    expect(() => step(of(new SyncBatchNorm(5, { name: 'bn9' })))).toThrow(channels);
  });

  test('integers where a layer normalises', () => {
    const net = of(new SyncBatchNorm(6), (x) => x.astype(np.int32));
    expect(() => step(net)).toThrow(/SyncBatchNorm\(6\): expected an input of float32, got int32/);
  });

  test.each([
    ['a number', () => 3, /stage 'part': expected an array or \{ x: array, carry \}, got 3/],
    ['nothing', () => undefined, /got undefined/],
    ['a list', (x: np.Array) => [x], /got a list/],
    ['an object without x', (x: np.Array) => ({ y: x }), /got \{ y \}/],
  ])('a stage that returns %s', (_, result, message) => {
    const net = of(new SyncBatchNorm(6), result as (x: np.Array) => unknown);
    expect(() => step(net)).toThrow(message);
    expect(() => net.predict(net.initialParameters(), randomArray([4, 6], 1))).toThrow(message);
  });

  test('a loss for each sample', () => {
    const net = network({ bn: new SyncBatchNorm(6) }, { loss: (x, _: np.Array) => np.sum(x, 1) });
    expect(() => step(net)).toThrow(/loss: expected a floating scalar.*got float32 \(4,\)/);
  });

  test("parameters that are not the network's", () => {
    const net = mlp.cut();
    const run = (change: (parameters: Record<string, Tree>) => void) => () => {
      const parameters = net.initialParameters();
      change(parameters);
      net.lossAndGradients(parameters, ...samples([6], 0, 4)).wait();
    };
    expect(run((p) => delete p.bn2)).toThrow(/missing: bn2; unknown: none/);
    expect(run((p) => Object.assign(p, { bn3: {} }))).toThrow(/missing: none; unknown: bn3/);
    expect(run((p) => Object.assign(p, { bn1: { weight: np.ones([12]) } }))).toThrow(
      /'bn1' must hold weight \(12,\) and bias \(12,\), got weight \(12,\)$/,
    );
    // jax-js would repeat it for every channel.
    const single = () => np.ones([1]);
    expect(run((p) => Object.assign(p, { bn1: { weight: single(), bias: single() } }))).toThrow(
      /'bn1' must hold weight \(12,\) and bias \(12,\), got weight \(1,\) and bias \(1,\)$/,
    );
    const integers = np.array(Int32Array.of(1));
    expect(run((p) => Object.assign(p, { head: { w: integers } }))).toThrow(
      /'head' must have float32 arrays, got int32 \(1,\)/,
    );
  });

  test('a batch that is no array of samples', () => {
    const net = mlp.cut();
    const labels = () => np.array(Int32Array.of(1));
    const run = (batch: unknown) => () =>
      net.lossAndGradients(net.initialParameters(), batch as np.Array, labels());
    expect(run(3)).toThrow(/samples on its first axis, or \{ x, carry \}, got 3/);
    expect(run(np.array(3))).toThrow(/got float32 \(\)/);
  });
});

test('without a world training says to make one, and inference works', () => {
  release();
  expect(isInitialized()).toBe(false);
  const net = mlp.cut();
  const parameters = net.initialParameters();
  const [x, labels] = samples([6], 0, 4);
  expect(net.predict(tree.ref(parameters), x.ref).shape).toEqual([4, 5]);
  const train = () => net.lossAndGradients(parameters, x, labels);
  expect(train).toThrow(/network: .*call init\(\) first/);
  expect(() => broadcastTree(np.ones([2]))).toThrow(/broadcastTree: .*call init\(\) first/);
});

describe('on several ranks', () => {
  const run = (size: number, scriptOf: (rank: number) => Partial<StepScript>) =>
    sharedWorld(size).run<StepReport>('jax-steps', (rank) => ({
      model: 'mlp',
      how: 'wait',
      from: 4 * rank,
      to: 4 * rank + 4,
      ...scriptOf(rank),
    }));

  test.each([
    { fault: 'missing parameter', own: /missing: bn1/ },
    { fault: 'rank-3 batch', own: /shape|dot|contract/i },
    { fault: 'no array', own: /got 'x'/ },
  ] as const)('a $fault on one fails all, and the next step works', async ({ fault, own }) => {
    for (const how of ['wait', 'done'] as const) {
      const outcomes = await run(3, (rank) => (rank === 1 ? { fault, how } : { how }));
      expect(outcomes[1].error?.message).toMatch(own);
      for (const rank of [0, 2]) {
        expect(outcomes[rank].error?.message).toContain(outcomes[1].error?.message);
        expect(outcomes[rank].error?.message).toContain('rank 1');
      }
      const good = await run(3, () => ({ how }));
      expect(good.map(({ result }) => result?.samples)).toEqual([12, 12, 12]);
    }
  });

  test('layers under other names are told apart', async () => {
    const outcomes = await run(2, (rank) => ({ options: { name: `bn of ${rank}` } }));
    for (const { error } of outcomes) {
      expect(error?.message).toContain("bn1: SyncBatchNorm 'bn of 0'");
      expect(error?.message).toContain("bn1: SyncBatchNorm 'bn of 1'");
    }
  });

  test('one value per channel in the whole group is refused on all', async () => {
    const outcomes = await run(2, (rank) => ({ from: 0, to: rank }));
    for (const { error } of outcomes) expect(error?.message).toContain('more than one value');
    const good = await run(2, () => ({}));
    expect(good.map(({ result }) => result?.samples)).toEqual([8, 8]);
  });

  test("broadcastTree gives all the root's arrays, and refuses other roots", async () => {
    const trees = await sharedWorld(3).results<Float32Array[]>('jax-broadcast', (rank) => ({
      seed: rank,
      root: 2,
    }));
    const expected = (
      await sharedWorld(1).results('jax-broadcast', () => ({ seed: 2, root: 0 }))
    )[0];
    expect(trees).toEqual([expected, expected, expected]);
    expect(() => broadcastTree({ a: np.ones([2]) }, { root: 1 }).wait()).toThrow(/root must be/);
    expect(broadcastTree({}).wait()).toEqual({});
    const [alone] = tree.leaves<np.Array>(broadcastTree([np.array([1, 2])]).wait());
    expect(alone.js()).toEqual([1, 2]);
  });
});
