/** More ranks than gather their moments: the layers themselves over 65 threads. */

import { afterAll, describe, expect, it } from 'vitest';
import { LAYER_KINDS, noise, partOf, runLayer, wholeWorld } from '../harness/layers.js';
import { expectClose } from '../harness/numbers.js';
import { oracle } from '../harness/oracle.js';
import { closeSharedWorlds } from '../harness/world.js';

afterAll(closeSharedWorlds, 60_000);

const SIZE = 65;
const CHANNELS = 3;
/** Every tenth rank has no samples. */
const shapeOf = (rank: number) => [rank % 10 === 9 ? 0 : 1 + (rank % 3), CHANNELS, 2, 1];
const x = Array.from({ length: SIZE }, (_, rank) => noise(shapeOf(rank), rank, 2));
const dy = x.map(({ shape }, rank) => noise(shape, rank + 99));

describe.each(LAYER_KINDS)('%s over 65 ranks', (kind) => {
  it('normalises by the batch of all, with the same statistics everywhere', async () => {
    const results = await runLayer(SIZE, (rank) => ({
      kind,
      numFeatures: CHANNELS,
      options: wholeWorld(kind, SIZE),
      passes: [{ x: x[rank], dy: dy[rank], train: true }],
    }));
    const expected = oracle(
      x.map((own, rank) => partOf(own, dy[rank])),
      { channels: CHANNELS, channelsLast: false, eps: 1e-5, weight: [1, 1, 1], bias: [0, 0, 0] },
    );
    results.forEach(([pass], rank) => {
      expect(pass.error).toBeUndefined();
      expectClose(pass.y, expected.ranks[rank].y, 1e-6);
      expectClose(pass.dx, expected.ranks[rank].dx, 1e-6);
      expect(pass.state).toEqual(results[0][0].state);
    });
  }, 120_000);
});
