import { init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { layoutOf } from '../../src/core/layout.js';
import { coreCount } from '../../src/core/platform.js';
import { joinThreadWorld } from '../../src/group/thread/thread-world.js';
import { createThreadWorld } from '../../src/group/thread/world.js';
import { defaultKernels } from '../../src/kernels/select.js';
import { channelsPerBlock } from '../../src/kernels/wasm/variant.js';
import { expectClose, expectSame } from '../harness/numbers.js';
import { oracle } from '../harness/oracle.js';
import { closeSharedWorlds, sharedWorld, TestWorld } from '../harness/world.js';
import type { LayerScript, PassResult } from '../ranks/run-layer.js';

afterAll(closeSharedWorlds);
// Lists of half a million numbers go to the ranks and back.
vi.setConfig({ testTimeout: 120_000 });

/** The first is cut, since the caches do not hold it; the others would be one block. */
const SHAPES = [
  [18, 20, 40, 40],
  [1, 20, 9, 9],
  [0, 20, 2],
];
const CHANNELS = 20;

const wave = (length: number, phase: number) =>
  Array.from({ length }, (_, i) => Math.fround(Math.sin(0.37 * i + phase) + 0.3));

function partOf(part: number, step: number) {
  const shape = SHAPES[part];
  const length = shape.reduce((product, size) => product * size, 1);
  return { x: wave(length, part + step), dy: wave(length, 2 * part + 3 * step), shape };
}

const [weight, bias] = [wave(CHANNELS, 5), wave(CHANNELS, 6)];

/** Passes over a part; the votes of the forward calls cut the backward calls. */
function scriptFor(part: number, steps: readonly number[]): LayerScript {
  return {
    kind: 'SyncBatchNorm',
    numFeatures: CHANNELS,
    options: {},
    state: { weight, bias },
    passes: steps.map((step) => {
      const { x, dy, shape } = partOf(part, step);
      const tensor = (values: number[]) => ({ values, shape, dtype: 'float32' as const });
      return { x: tensor(x), dy: tensor(dy) };
    }),
  };
}

describe('blocks of channels', () => {
  // Two ranks are cut where there are two cores, three where there are three.
  it.each([[[0, 1]], [[0, 2]], [[0, 1, 2]]])(
    'are the same on ranks with parts %j, and change nothing in the result',
    async (parts) => {
      const layout = layoutOf(SHAPES[0], false, 'float32');
      expect(channelsPerBlock(layout)).toBeLessThan(CHANNELS);
      const ranks = parts.map((_, rank) => rank);
      const world = sharedWorld(parts.length);
      const results = await world.results<PassResult[]>('layer', (rank) =>
        scriptFor(parts[rank], [0, 1]),
      );
      for (const step of [0, 1]) {
        const expected = oracle(
          parts.map((part) => partOf(part, step)),
          { channels: CHANNELS, channelsLast: false, eps: 1e-5, weight, bias },
        );
        for (const rank of ranks) {
          const pass = results[rank][step];
          expect(pass.error).toBeUndefined();
          expectClose(pass.y, expected.ranks[rank].y, 1e-6);
          expectClose(pass.dx, expected.ranks[rank].dx, 1e-6);
          expectClose(pass.gradients![0]!, expected.ranks[rank].dweight, 1e-5);
          expectClose(pass.gradients![1]!, expected.ranks[rank].dbias, 1e-5);
          for (const [name, values] of Object.entries(pass.state)) {
            expectSame(values, results[0][step].state[name]);
          }
        }
      }
    },
  );

  it('are the same on ranks with different kernels, whose statistics are the same bits', async () => {
    // Plain kernels vote for one block, and on rank 0 they are asked for those of rank 1.
    const world = new TestWorld(2, {}, (rank) =>
      rank === 0 ? { SYNCBN_TEST_MEMORY: 'none' } : {},
    );
    const passes = (rank: number) => scriptFor(1 - rank, [0, 1]);
    const mixed = await world.results<PassResult[]>('layer', passes);
    const warned = await world.results<string[]>('warnings', () => ({}));
    await world.close();
    expect(warned.map(({ length }) => length)).toEqual([1, 0]);
    const expected = await sharedWorld(2).results<PassResult[]>('layer', passes);
    for (const step of [0, 1]) {
      for (const rank of [0, 1]) {
        const [pass, wanted] = [mixed[rank][step], expected[rank][step]];
        expect(pass.error).toBeUndefined();
        expectClose(pass.y, wanted.y!, 1e-6);
        expectClose(pass.dx, wanted.dx!, 1e-6);
        expectClose(pass.gradients![0]!, wanted.gradients![0]!, 1e-5);
        for (const [name, values] of Object.entries(pass.state)) {
          expectSame(values, mixed[0][step].state[name]);
        }
      }
    }
  });
});

it('a world with more ranks than cores has one block, since its ranks take turns', async () => {
  const cores = coreCount();
  for (const size of [2, cores + 1]) {
    const [handle] = createThreadWorld(size);
    const world = await joinThreadWorld(handle);
    const transport = world.connect('pair', [0, 1]);
    expect(transport.mostBlocks).toBe(size > cores ? 1 : Number.POSITIVE_INFINITY);
    transport.close();
    world.release();
  }
});

it.each([
  ['as one block', 90, CHANNELS, 3],
  ['in blocks', 2000, 10, CHANNELS],
])(
  'a rank alone takes planes %s, with the same bits as otherwise',
  async (_, plane, own, other) => {
    await init();
    const shape = [3, CHANNELS, plane];
    expect(channelsPerBlock(layoutOf(shape, false, 'float32'))).toBe(own);
    const [x, dy] = [0, 1].map((phase) => Tensor.from(wave(3 * CHANNELS * plane, phase), shape));
    const run = () => {
      const layer = new SyncBatchNorm(CHANNELS);
      const y = layer.forward(x).data;
      return { y, dx: layer.backward(dy).data, ...layer.stateDict() };
    };
    const usual = run();
    const spy = vi.spyOn(defaultKernels(), 'channelsPerBlock').mockReturnValue(other);
    expect(run()).toEqual(usual);
    expect(spy).toHaveBeenCalledTimes(1);
    spy.mockRestore();
    release();
  },
);
