import { createThreadWorld, GlobalBatchNorm, init, release, Tensor } from 'syncbn';
import { afterAll, describe, expect, it } from 'vitest';
import { runLayer, runningOf } from '../harness/layers.js';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { GroupOutcome } from '../ranks/groups.js';

afterAll(closeSharedWorlds);

/** numpy.linspace(from, to, count) */
const linspace = (from: number, to: number, count: number) =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));

const x = { values: linspace(0, 5, 16), shape: [2, 2, 2, 2], dtype: 'float32' as const };
const group = { name: '0-1', ranks: [0, 1] };

describe('the example of mint.nn.SyncBatchNorm', () => {
  it('makes its group, asks for its place and normalises in inference', async () => {
    const asked = await sharedWorld(2).results<GroupOutcome[]>('groups', () => [
      { call: 'createGroup', args: [group.name, group.ranks] },
      { call: 'getLocalRank', args: [group.name] },
      { call: 'destroyGroup', args: [group.name] },
    ]);
    expect(asked.map((own) => own[1])).toEqual([{ value: 0 }, { value: 1 }]);

    const results = await runLayer(2, () => ({
      kind: 'SyncBatchNorm',
      numFeatures: 2,
      options: { dtype: 'float32' },
      group,
      passes: [{ x, train: false }],
    }));
    // Running mean 0 and variance 1: only eps changes a value.
    const expected = x.values.map((value) => Math.fround(value) / Math.sqrt(1 + 1e-5));
    for (const [{ y }] of results) {
      y?.forEach((value, i) => {
        expect(Math.abs(value - expected[i])).toBeLessThan(1e-6);
      });
      expect(y?.[15]).toBeCloseTo(4.999975, 5);
    }
  });

  it('normalises over the group in training', async () => {
    const results = await runLayer(2, () => ({
      kind: 'SyncBatchNorm',
      numFeatures: 2,
      options: { momentum: 1 },
      group,
      passes: [{ x, train: true }],
    }));
    // Channel 0 holds elements 0-3 and 8-11 of the line, twice; steps are 1/3.
    const steps = [0, 1, 2, 3, 8, 9, 10, 11];
    const mean = steps.reduce((sum, step) => sum + step / 3, 0) / 8;
    const squares = steps.reduce((sum, step) => sum + (step / 3 - mean) ** 2, 0);
    for (const [pass] of results) {
      expect(runningOf(pass).mean[0]).toBeCloseTo(mean, 6);
      expect(runningOf(pass).variance[0]).toBeCloseTo((2 * squares) / 15, 5);
      expect(pass.y?.[0]).toBeCloseTo(-mean / Math.sqrt(squares / 8 + 1e-5), 5);
    }
  });
});

describe('the example of nn.GlobalBatchNorm', () => {
  it('prints 0.999995 for ones, on every rank', async () => {
    const results = await runLayer(2, () => ({
      kind: 'GlobalBatchNorm',
      numFeatures: 3,
      options: { deviceNumEachGroup: 2 },
      passes: [
        {
          x: { values: Array.from({ length: 12 }, () => 1), shape: [1, 3, 2, 2], dtype: 'float32' },
        },
      ],
    }));
    for (const [{ y }] of results) {
      expect(y?.map((value) => value.toFixed(6))).toEqual(
        Array.from({ length: 12 }, () => '0.999995'),
      );
    }
  });

  it('prints the page’s text', async () => {
    await init({ world: createThreadWorld(2)[0] });
    const output = new GlobalBatchNorm(3).forward(Tensor.ones([1, 3, 2, 2]));
    release();
    const block = '[[0.999995 0.999995]\n   [0.999995 0.999995]]';
    expect(String(output)).toBe(`[[${[block, block, block].join('\n\n  ')}]]`);
  });
});
