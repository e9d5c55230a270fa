/** Passes that are awaited, on some ranks or all, beside passes that block. */

import { init, release, SyncBatchNorm, startAverageGradients, Tensor } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAYER_KINDS, noise, runLayer, wholeWorld } from '../harness/layers.js';
import { expectSame } from '../harness/numbers.js';
import { closeSharedWorlds } from '../harness/world.js';
import type { LayerScript } from '../ranks/run-layer.js';

afterAll(closeSharedWorlds);

const SIZE = 3;

describe.each(LAYER_KINDS)('%s', (kind) => {
  /** Two steps; rank 1 has no samples in the second one. */
  const script = (rank: number, more: Partial<LayerScript>): LayerScript => ({
    kind,
    numFeatures: 20,
    options: wholeWorld(kind, SIZE),
    passes: [
      [2 + rank, 20],
      [rank === 1 ? 0 : 3, 20, 2, 2],
    ].map((shape, step) => ({
      x: noise(shape, rank + step, 2),
      dy: noise(shape, rank + step + 9),
      train: true,
    })),
    ...more,
  });

  it.each([false, true])(
    'gives the bits of calls that block, whoever awaits (reproducible %s)',
    async (reproducible) => {
      const options = { ...wholeWorld(kind, SIZE), reproducible };
      const run = (awaits: (rank: number) => boolean) =>
        runLayer(SIZE, (rank) => script(rank, { awaited: awaits(rank), options }));
      const blocked = await run(() => false);
      for (const pass of blocked.flat()) expect(pass.error).toBeUndefined();
      expect(await run(() => true)).toEqual(blocked);
      expect(await run((rank) => rank === 1)).toEqual(blocked);
    },
  );

  it('delivers what is wrong with one call, on every rank, and goes on with the next', async () => {
    const results = await runLayer(SIZE, (rank) => {
      const good = { x: noise([2, 20], rank), dy: noise([2, 20], rank + 5), train: true };
      const bad = rank === 2 ? { x: noise([2, 19], 1), train: true } : { x: good.x, train: true };
      return script(rank, { awaited: true, passes: [bad, good] });
    });
    results.forEach(([failed, next], rank) => {
      expect(failed.error?.name).toBe(rank === 2 ? 'RangeError' : 'RankFailedError');
      expect(failed.error?.message).toMatch(/expected 20 channels on axis 1, got 19/);
      expect(next.error).toBeUndefined();
    });
  });

  it('fails on every rank, before anything is sent, where one may not block', async () => {
    const good = (rank: number) => ({ x: noise([2, 20], rank), dy: noise([2, 20], rank) });
    const results = await runLayer(SIZE, (rank) =>
      script(rank, {
        passes: [
          { ...good(rank), train: true, mayNotBlock: rank === 1 },
          { ...good(rank), train: true },
        ],
      }),
    );
    const text =
      'forward: it would block, which this thread may not; await startForward(...).done()';
    results.forEach(([failed, next], rank) => {
      expect(failed.error?.message).toContain(text);
      expect(failed.error?.name).toBe(rank === 1 ? 'TypeError' : 'RankFailedError');
      expect(failed.state.numBatchesTracked ?? [0]).toEqual([0]);
      expect(next.error).toBeUndefined();
    });
  });
});

it('blocks of channels, which rank 0 asks for, are awaited one by one', async () => {
  const run = (awaited: boolean) =>
    runLayer(SIZE, (rank) => {
      const shape = rank === 0 ? [18, 20, 40, 40] : [rank, 20, 3];
      const pass = { x: noise(shape, rank), dy: noise(shape, rank + 9) };
      return { kind: 'SyncBatchNorm', numFeatures: 20, options: {}, awaited, passes: [pass] };
    });
  const [blocked, awaited] = [await run(false), await run(true)];
  blocked.forEach(([pass], rank) => {
    expect(pass.error).toBeUndefined();
    expectSame(awaited[rank][0].y!, pass.y!);
    expectSame(awaited[rank][0].dx!, pass.dx!);
    expect(awaited[rank][0].state).toEqual(pass.state);
  });
});

describe('on one rank', () => {
  beforeAll(() => init());
  afterAll(release);
  const x = Tensor.from(noise([4, 2], 1).values, [4, 2]);

  it('a pass has the mode of its call, and backward the forward call before it', async () => {
    const layer = new SyncBatchNorm(2);
    const trained = layer.startForward(x);
    const back = layer.startBackward(x);
    const plain = layer.setTrain(false).startForward(x);
    const averaged = startAverageGradients(layer.parameters());
    await averaged.done();
    const again = new SyncBatchNorm(2);
    expect([...trained.wait().data]).toEqual([...again.forward(x).data]);
    expect([...back.wait().data]).toEqual([...again.backward(x).data]);
    expect([...plain.wait().data]).toEqual([...again.setTrain(false).forward(x).data]);
    expect([...layer.weight!.grad!.data]).toEqual([...again.weight!.grad!.data]);
  });

  it('contexts can be asked for, and used in any order', async () => {
    const layer = new SyncBatchNorm(2);
    const first = await layer.startForwardWithContext(x).done();
    const second = await layer.startForwardWithContext(Tensor.ones([4, 2])).done();
    const dx = await layer.startBackward(x, { context: first.context }).done();
    const { context } = layer.forwardWithContext(x);
    expect([...dx.data]).toEqual([...layer.backward(x, { context }).data]);
    await layer.startBackward(x, { context: second.context }).done();
    await expect(layer.startBackward(x, { context: second.context }).done()).rejects.toThrow(
      /used this forward call already/,
    );
  });
});
