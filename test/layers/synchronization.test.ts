/** The adapters' door: a layer of another framework, by the kernels or by its own arithmetic. */

import { init, release, SyncBatchNorm } from 'syncbn';
import { afterAll, describe, expect, it } from 'vitest';
import { partsOf } from '../../src/layers/parts.js';
import { Synchronization } from '../../src/layers/synchronization.js';
import { noise, partOf } from '../harness/layers.js';
import { expectClose, expectSame } from '../harness/numbers.js';
import { oracle } from '../harness/oracle.js';
import { closeSharedWorlds, type Outcome, SIZES, sharedWorld } from '../harness/world.js';
import type { DoorReport, DoorScript } from '../ranks/run-door.js';

afterAll(closeSharedWorlds);
afterAll(release);

const CHANNELS = 3;
const WEIGHT = [0.5, 2, -1];
/** Rank 1 has no samples, where there is a rank 1. */
const samplesOf = (rank: number) => (rank === 1 ? 0 : 2 + rank);
const partsOfRank = (rank: number) => {
  const shape = [samplesOf(rank), CHANNELS, 4];
  return { x: noise(shape, rank, 5), dy: noise(shape, rank + 20) };
};

function script(rank: number, more: Partial<DoorScript> = {}): DoorScript {
  const { x, dy } = partsOfRank(rank);
  return {
    x: x.values,
    dy: dy.values,
    samples: samplesOf(rank),
    channels: CHANNELS,
    plane: 4,
    weight: WEIGHT,
    arithmetic: 'kernels',
    ...more,
  };
}

const run = (size: number, of: (rank: number) => DoorScript): Promise<Outcome<DoorReport>[]> =>
  sharedWorld(size).run<DoorReport>('door', of);

/** One value per channel on rank 0, and none on the others. */
const lonely = (rank: number, more: Partial<DoorScript>): DoorScript => {
  const { values } = noise([rank === 0 ? 1 : 0, CHANNELS]);
  return script(rank, { x: values, dy: values, samples: rank === 0 ? 1 : 0, plane: 1, ...more });
};

describe.each(['kernels', 'own'] as const)('arithmetic by %s', (arithmetic) => {
  const sizes = SIZES.flatMap((size) => [undefined, 1].map((gatherRanks) => [size, gatherRanks]));
  it.each(sizes)(
    'normalises by the batch of %i ranks, goes back; gathers up to %s',
    async (...of) => {
      const [size = 1, gatherRanks] = of;
      const parts = Array.from({ length: size }, (_, rank) => partsOfRank(rank));
      const expected = oracle(
        parts.map(({ x, dy }) => partOf(x, dy)),
        { channels: CHANNELS, channelsLast: false, eps: 1e-5, weight: WEIGHT, bias: [0, 0, 0] },
      );
      const more = { arithmetic, ...(gatherRanks !== undefined && { gatherRanks }) };
      const outcomes = await run(size, (rank) => script(rank, more));
      outcomes.forEach(({ result, error }, rank) => {
        expect(error).toBeUndefined();
        expectClose(result!.y, expected.ranks[rank].y, 1e-6);
        expectClose(result!.dx, expected.ranks[rank].dx, 1e-6);
        expectClose(result!.dweight, expected.ranks[rank].dweight, 1e-5);
        expectClose(result!.dbias, expected.ranks[rank].dbias, 1e-5);
        const [moments] = result!.tracked;
        expect(result!.tracked).toEqual(outcomes[0].result!.tracked);
        expect(moments.count).toBe(expected.count);
        expectClose(moments.mean, expected.mean, 1e-6);
        expectClose(moments.m2, expected.m2, 1e-5);
      });
    },
  );

  it('takes a count of 1 where the adapter does, and refuses it on every rank where not', async () => {
    const taken = await run(3, (rank) => lonely(rank, { arithmetic }));
    for (const { result } of taken) expect(result?.tracked.map((m) => m.count)).toEqual([1]);
    const refused = await run(3, (rank) => lonely(rank, { arithmetic, leastCount: 2 }));
    for (const { error } of refused) {
      expect(error).toEqual({
        name: 'RangeError',
        message: "Norm 'bn1': training needs more than one value per channel over the group, got 1",
      });
    }
  });

  it('learns nothing from an empty batch, and where it is told not to', async () => {
    const empty = { x: [], dy: [], samples: 0, arithmetic };
    for (const more of [empty, { track: false, arithmetic }]) {
      const outcomes = await run(2, (rank) => script(rank, more));
      for (const { result } of outcomes) expect(result).toMatchObject({ tracked: [], skipped: 0 });
    }
  });

  it('skips, takes over or refuses NaN on every rank alike', async () => {
    const withNaN = (rule: 'skip' | 'propagate' | 'throw') =>
      run(2, (rank) => {
        const usual = script(rank, { arithmetic, onNonFinite: rule });
        return rank === 0 ? { ...usual, x: [Number.NaN, ...usual.x.slice(1)] } : usual;
      });
    for (const { result } of await withNaN('skip')) {
      expect(result).toMatchObject({ tracked: [], skipped: 1 });
    }
    for (const { result } of await withNaN('propagate')) {
      expect(result!.tracked[0].mean[0]).toBeNaN();
    }
    for (const { error } of await withNaN('throw')) {
      expect(error?.message).toBe("Norm 'bn1': the group's batch holds NaN or infinity");
    }
  });

  it('fails for the peers, and the next step is as usual', async () => {
    const outcomes = await run(3, (rank) => script(rank, { arithmetic, fault: rank === 2 }));
    expect(outcomes[2].error).toEqual({ name: 'TypeError', message: 'no such input' });
    for (const { error } of outcomes.slice(0, 2)) {
      expect(error).toEqual({
        name: 'RankFailedError',
        message: 'rank 2 failed: TypeError: no such input (in call)',
      });
    }
    for (const { error } of await run(3, (rank) => script(rank, { arithmetic }))) {
      expect(error).toBeUndefined();
    }
  });
});

describe('given statistics', () => {
  it('normalise and go back without a group, in place', () => {
    const layer = new Synchronization({ label: 'Norm', channels: 1, dtype: 'float64' });
    const layout = {
      samples: 3,
      channels: 1,
      plane: 1,
      channelsLast: false,
      dtype: 'float64',
    } as const;
    const [x, dy] = [Float64Array.of(1, 2, 3), Float64Array.of(1, 0, -1)];
    const affine = { weight: Float64Array.of(4), bias: Float64Array.of(1), eps: 0 };
    const y = x.slice();
    const [mean, variance] = [Float64Array.of(2), Float64Array.of(4)];
    const saved = layer.forwardBy(y, y, layout, affine, mean, variance);
    expect([...y]).toEqual([-1, 1, 3]);
    const sums = layer.backward(dy, dy, x, saved);
    expect([...dy]).toEqual([2, 0, -2]);
    expect([...sums.dyXhat, ...sums.dy]).toEqual([-1, 0]);
  });
});

describe('the parts of a layer', () => {
  it('are those that its own calls use', async () => {
    await init();
    const layer = new SyncBatchNorm(2, { name: 'bn1' });
    const { group, batchOptions, synchronization, running, weight, bias } = partsOf(layer);
    expect([weight, bias]).toEqual([layer.weight, layer.bias]);
    expect(running?.mean).toBe(layer.runningMean);
    expect(group()).toBe(layer.processGroup);
    const own = { count: 4, mean: Float64Array.of(1, 2), m2: Float64Array.of(3, 6) };
    const merged = synchronization.startMerge(own, group()!, batchOptions()).wait();
    expect(merged).toEqual(own);
    expectSame(layer.runningMean!.data, Float32Array.of(0.1, 0.2));
    expect(layer.numBatchesTracked?.data[0]).toBe(1);
    layer.setTrain(false);
    expect(group()).toBeNull();
    expect(() => partsOf({})).toThrow(new TypeError('partsOf: not a layer of syncbn'));
  });
});
