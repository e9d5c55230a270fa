/** Layers that ranks take for one another are told apart, and their options are compared. */

import { afterAll, describe, expect, it } from 'vitest';
import { noise } from '../harness/layers.js';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { PassResult } from '../ranks/run-layer.js';

afterAll(closeSharedWorlds);

const pass = { x: noise([3, 2], 1), train: true };
const script = (options: object) => ({
  kind: 'SyncBatchNorm' as const,
  numFeatures: 2,
  options,
  passes: [pass],
});

async function messages(optionsOf: (rank: number) => object): Promise<(string | undefined)[]> {
  const results = await sharedWorld(2).results<PassResult[]>('layer', (rank) =>
    script(optionsOf(rank)),
  );
  return results.map(([{ error }]) => error && `${error.name}: ${error.message}`);
}

describe('options that differ between ranks', () => {
  it.each<[object, string]>([
    [{ eps: 1e-3 }, '{ eps: 0.001 }'],
    [{ momentum: 0.9 }, '{ momentum: 0.9 }'],
    [{ momentum: null }, '{ momentum: null }'],
    [{ affine: false }, '{ affine: false }'],
    [{ affine: { weight: true, bias: false } }, '{ affine: {"weight":true,"bias":false} }'],
    [{ trackRunningStats: false }, '{ trackRunningStats: false }'],
    [{ channelsLast: true }, '{ channelsLast: true }'],
    [{ onNonFinite: 'throw' }, '{ onNonFinite: "throw" }'],
  ])('are found: %j', async (options, text) => {
    const found = await messages((rank) => (rank === 1 ? options : {}));
    for (const message of found) {
      expect(message).toMatch(/^MismatchError: /);
      expect(message).toContain(`of SyncBatchNorm(2) ${text} with`);
      expect(message).toContain('of SyncBatchNorm(2) with');
    }
    expect(await messages(() => options)).toEqual([undefined, undefined]);
  });
});

describe('layers without a name', () => {
  const run = (order: (rank: number) => number[]) =>
    sharedWorld(2).results<(string | null)[]>('numbered', (rank) => ({ order: order(rank) }));

  it('have the numbers of their creation, which ranks compare', async () => {
    expect(await run(() => [0, 1, 0])).toEqual([
      [null, null, null],
      [null, null, null],
    ]);
    const swapped = await run((rank) => (rank === 0 ? [0, 1] : [1, 0]));
    for (const [first] of swapped) {
      expect(first).toMatch(/rank 1 is in allGather #\d+ of SyncBatchNorm\(2\) #2 with/);
      expect(first).toMatch(/rank 0 in allGather #\d+ of SyncBatchNorm\(2\) with/);
    }
  });

  it('give their running statistics to all ranks with their parameters', async () => {
    const results = await sharedWorld(3).results<number[][]>('broadcast-layer', (rank) => ({
      value: rank + 1,
      root: 2,
    }));
    for (const own of results) expect(own).toEqual([[3], [3], [3], [3], [3]]);
  });
});
