import { allocateTensor, type DType, init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultKernels } from '../../src/kernels/select.js';
import type { WasmKernels } from '../../src/kernels/wasm/kernels.js';
import { LAYER_KINDS, noise, partOf, wholeWorld } from '../harness/layers.js';
import { expectClose, expectSame } from '../harness/numbers.js';
import { oracle } from '../harness/oracle.js';
import { TestWorld } from '../harness/world.js';
import { fillMemory, type PassResult } from '../ranks/run-layer.js';

const ENGINE = { SYNCBN_TEST_MEMORY: '64' };
/** createEngine halves what it asks for until the engine grants it. */
const CAPACITY = 63 * 65536;

beforeAll(async () => {
  Object.assign(process.env, ENGINE);
  await import('../ranks/engine.js');
  await init();
});
afterAll(release);

const oracleOf = (channels: number, parts: Parameters<typeof oracle>[0]) =>
  oracle(parts, {
    channels,
    channelsLast: false,
    eps: 1e-5,
    weight: new Array<number>(channels).fill(1),
    bias: new Array<number>(channels).fill(0),
  });
const tensorOf = ({ values, shape }: ReturnType<typeof noise>, dtype: DType = 'float32') =>
  Tensor.from(values, shape, dtype);
function memory(): { bytesInUse: number; size: number } {
  const { bytesInUse, size } = (defaultKernels() as WasmKernels).heap;
  return { bytesInUse, size };
}

describe('where the kernels’ memory is full', () => {
  it('a forward call says what it asked for and what there is, and changes nothing', () => {
    const held = fillMemory();
    const full = memory();
    const layer = new SyncBatchNorm(300);
    const before = layer.stateDict();
    const [x, dy] = [noise([3, 300, 2], 1), noise([3, 300, 2], 2)];
    for (let turn = 0; turn < 3; turn++) {
      expect(() => layer.forward(tensorOf(x))).toThrow(
        new RangeError(
          `kernels: no memory for work on 512 channels (98304 bytes): ${full.bytesInUse} of ${CAPACITY} ` +
            'bytes are in use, and one array takes 1073738560 at most; ' +
            'release tensors that are no longer needed',
        ),
      );
    }
    expect(memory()).toEqual(full);
    expect(layer.stateDict()).toEqual(before);
    expect(layer.skippedUpdates).toBe(0);
    expect(() => layer.backward(tensorOf(dy))).toThrow(/needs a forward call before it/);

    for (const tensor of held) tensor.dispose();
    const [expected] = oracleOf(300, [partOf(x, dy)]).ranks;
    expectClose(layer.forward(tensorOf(x)).data, expected.y, 1e-6);
    expectClose(layer.backward(tensorOf(dy)).data, expected.dx, 1e-6);
    expect(layer.numBatchesTracked?.data[0]).toBe(1);
  });

  it('an allocation says so, too, and succeeds after a release', () => {
    const held = fillMemory();
    const { bytesInUse } = memory();
    expect(() => allocateTensor([50, 20], 'float64')).toThrow(
      new RangeError(
        `kernels: no memory for 1000 float64 (8000 bytes): ${bytesInUse} of ${CAPACITY} bytes ` +
          'are in use, and one array takes 1073738560 at most; ' +
          'release tensors that are no longer needed',
      ),
    );
    expect(memory().bytesInUse).toBe(bytesInUse);
    for (const tensor of held) tensor.dispose();
    allocateTensor([50, 20], 'float64').dispose();
  });

  it.each<DType>(['float32', 'float64', 'float16'])(
    'layers that have run before still run, over all tensors of %s',
    (dtype) => {
      const shapes = [
        [2, 40, 9, 9],
        [9, 40, 7],
        [30, 40],
        [1, 2, 40],
      ];
      const layers = shapes.flatMap((shape, i) =>
        [false, true].map((own) => {
          const layer = new SyncBatchNorm(40, { channelsLast: i === 3, dtype });
          const [x, dy, y, dx] = [1, 2, 3, 4].map((seed) => {
            const values = tensorOf(noise(shape, seed), dtype);
            if (!own) return values;
            const tensor = allocateTensor(shape, dtype);
            tensor.data.set(values.data);
            return tensor;
          });
          return { layer, x, dy, y, dx };
        }),
      );
      const run = () =>
        layers.flatMap(({ layer, x, dy, y, dx }) => {
          layer.forward(x, { out: y });
          layer.backward(dy, { out: dx });
          return [...y.toFloats(), ...dx.toFloats()];
        });
      const before = run();
      const held = fillMemory();
      const full = memory();
      expectSame(run(), before);
      expect(memory()).toEqual(full);
      for (const tensor of held) tensor.dispose();
      for (const { x, dy, y, dx } of layers) for (const tensor of [x, dy, y, dx]) tensor.dispose();
    },
  );
});

describe.each(LAYER_KINDS)('%s on a rank whose memory is full', (kind) => {
  it('fails all ranks at once, and the next pass is that of a new layer', async () => {
    const SIZE = 3;
    const world = new TestWorld(SIZE, {}, () => ENGINE);
    const x = (rank: number) => noise([2 + rank, 2], rank);
    const dy = (rank: number) => noise([2 + rank, 2], rank + 9);
    const results = await world.results<PassResult[]>('layer', (rank) => ({
      kind,
      numFeatures: 2,
      options: wholeWorld(kind, SIZE),
      passes: [true, false].map((first) => {
        const memoryFull = first && rank === 1;
        return { x: x(rank), dy: dy(rank), train: true, memoryFull };
      }),
    }));
    await world.close();
    const error = results[1][0].error!;
    expect(error.name).toBe('RangeError');
    expect(error.message).toMatch(/^kernels: no memory for work on 256 channels \(65536 bytes\): /);
    const expected = oracleOf(
      2,
      [0, 1, 2].map((rank) => partOf(x(rank), dy(rank))),
    );
    results.forEach(([failed, next], rank) => {
      if (rank !== 1) {
        expect(failed.error).toEqual({
          name: 'RankFailedError',
          message: `rank 1 failed: RangeError: ${error.message} (in forward)`,
        });
      }
      expect(
        Object.values(failed.state)
          .flat()
          .filter((value) => value !== 0 && value !== 1),
      ).toEqual([]);
      expect(next.error).toBeUndefined();
      expectClose(next.y, expected.ranks[rank].y, 1e-6);
      expectClose(next.dx, expected.ranks[rank].dx, 1e-6);
      expect(next.state).toEqual(results[0][1].state);
      expect(next.state.numBatchesTracked ?? [1]).toEqual([1]);
    });
  });
});
