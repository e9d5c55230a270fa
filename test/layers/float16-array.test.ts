/**
 * Float16Array, which Node has since 24: tensors are views of its bytes. scripts/runtimes.mjs runs
 * these tests on the oldest Node, which has none, and on the newest.
 */

import { allocateTensor, getGroup, init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainKernels } from '../../src/kernels/plain.js';
import { withKernels } from '../../src/ops/kernels.js';
import { expectClose, expectSame } from '../harness/numbers.js';
import { oracle } from '../harness/oracle.js';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { Float16Report, Float16Script } from '../ranks/run-float16.js';

type Halves = ArrayLike<number> & ArrayBufferView;
type HalvesClass = new (source: ArrayLike<number> | ArrayBufferLike) => Halves;

const Float16 = (globalThis as { Float16Array?: HalvesClass }).Float16Array;
const MAJOR = Number(process.versions.node.split('.')[0]);
const PATTERNS = Uint16Array.from({ length: 65536 }, (_, i) => i);

beforeAll(() => init());
afterAll(async () => {
  await closeSharedWorlds();
  release();
});

const isNaN16 = (bits: number) => (bits & 0x7fff) > 0x7c00;

describe('all 65,536 values', () => {
  it('go to float32 and back as they are, NaN as one pattern of it', () => {
    const values = Tensor.from(PATTERNS, [65536], 'float16').toFloats();
    const want = PATTERNS.map((bits) => (isNaN16(bits) ? 0x7e00 : bits));
    expectSame(Tensor.from(values, [65536], 'float16').data, want);
  });

  it.each([
    ['in the kernels’ memory', (tensor: Tensor) => allocated(tensor)],
    ['out of it', (tensor: Tensor) => tensor],
  ])('go through a layer that changes nothing, %s', (_, place) => {
    for (const make of [() => identity(), () => withKernels(plainKernels, identity)]) {
      const y = make().forward(place(Tensor.from(PATTERNS, [64, 16, 8, 8], 'float16')));
      for (const bits of PATTERNS) {
        const got = y.data[bits];
        // 0 is added, which takes the sign from -0.
        const want = bits === 0x8000 ? 0 : bits;
        if (isNaN16(bits) ? !isNaN16(got) : got !== want) expect([bits, got]).toEqual([bits, want]);
      }
    }
  });
});

/** A layer in inference whose statistics are those of numbers that it leaves alone. */
function identity(): SyncBatchNorm {
  const layer = new SyncBatchNorm(16, { dtype: 'float16', eps: 0 });
  layer.setTrain(false);
  return layer;
}

function allocated(tensor: Tensor): Tensor {
  const copy = allocateTensor(tensor.shape, tensor.dtype);
  copy.data.set(tensor.data);
  return copy;
}

const SHAPE = [6, 3, 5, 4];
const numbers = (seed: number) =>
  Array.from({ length: 360 }, (_, i) => 3 * Math.sin(12.9898 * (i + 1) + 78.233 * seed) + 1);
const patterns = (seed: number) => [...Tensor.from(numbers(seed), [360], 'float16').data];

function scriptOf(rank: number, wraps: boolean): Float16Script {
  return { x: patterns(rank), dy: patterns(rank + 10), shape: SHAPE, wraps };
}

const floats = (bits: number[]) =>
  Tensor.from(Uint16Array.from(bits), [bits.length], 'float16').toFloats();

/** Both kinds of arrays that this engine has. */
const KINDS = Float16 === undefined ? [false] : [false, true];

describe.each(KINDS)('a layer over threads, on views of a Float16Array: %s', (wraps) => {
  it.each([2, 3])('agrees with the oracle on %s ranks', async (ranks) => {
    const world = sharedWorld(ranks);
    const reports = await world.results<Float16Report>('float16', (r) => scriptOf(r, wraps));
    const scripts = reports.map((_, rank) => scriptOf(rank, false));
    const parts = scripts.map(({ x, dy }) => {
      return { x: [...floats(x)], dy: [...floats(dy)], shape: SHAPE };
    });
    const [weight, bias] = [
      [1, 1, 1],
      [0, 0, 0],
    ];
    const options = { channels: 3, channelsLast: false, eps: 1e-5, weight, bias };
    const { ranks: wanted, m2, count } = oracle(parts, options);
    const running = m2.map((sum) => 0.9 + (0.1 * sum) / (count - 1));
    const mean = (i: number) => parts.reduce((sum, { dy }) => sum + dy[i], 0) / ranks;
    const means = Array.from({ length: 360 }, (_, i) => mean(i));
    reports.forEach((report, rank) => {
      expectClose(floats(report.y), wanted[rank].y, 2 ** -11);
      expectClose(floats(report.dx), wanted[rank].dx, 2 ** -11);
      expectClose(floats(report.averaged), means, 2 ** -11);
      expectClose(report.dweight, wanted[rank].dweight, 1e-5);
      expectClose(report.runningVar, running, 1e-6);
      const bits = [report.y, report.dx, report.averaged];
      expect(report.seen).toEqual(wraps ? bits.map((own) => [...floats(own)]) : []);
    });
  });
});

it('is there from Node 24 on, and a tensor says so before', () => {
  expect(Float16 !== undefined).toBe(MAJOR >= 24);
  const tensor = Tensor.from([1, 2], [2], 'float16');
  expect([...tensor.data]).toEqual([0x3c00, 0x4000]);
  const values = () => [...(tensor.toFloat16Array() as unknown as number[])];
  if (Float16 !== undefined) expect(values()).toEqual([1, 2]);
  else expect(values).toThrow(new Error('Tensor: this engine has no Float16Array'));
});

// Not skipped elsewhere: without the class there is nothing that could be given.
if (Float16 !== undefined)
  describe('a Float16Array', () => {
    const View = Float16 as HalvesClass;
    const halves = (...values: number[]) => new View(values);

    it('has the numbers of its tensor, all 65,536 of them, and rounds as a tensor does', () => {
      const view = new View(PATTERNS.slice().buffer);
      const tensor = Tensor.from(view, [256, 256]);
      expect([tensor.dtype, tensor.data.buffer === view.buffer]).toEqual(['float16', true]);
      expectSame(tensor.toFloats(), view);
      expectSame(tensor.data, PATTERNS);
      // Numbers between two of float16, and at their middle.
      const between = [0.25, 0.5, 0.75].flatMap((share) =>
        Array.from({ length: 65535 }, (_, i) => view[i] + share * (view[i + 1] - view[i])),
      );
      const rounded = Tensor.from(between, [between.length], 'float16');
      expectSame(rounded.toFloats(), new View(between));
    });

    it('is what tensor.toFloat16Array() gives, over the same bytes', () => {
      const tensor = Tensor.from([1, 2.5, -3], [3], 'float16');
      const view = tensor.toFloat16Array();
      expect(view).toBeInstanceOf(View);
      expect([...(view as unknown as number[])]).toEqual([1, 2.5, -3]);
      (view as unknown as number[])[0] = 65504;
      expect(tensor.toFloats()[0]).toBe(65504);
      expect(allocated(tensor).toFloat16Array()[0]).toBe(65504);
    });

    it('is converted to other types, and taken as float16 by clones and JSON', () => {
      const given = halves(0.1, Number.NaN, -0);
      expect([...Tensor.from(given, [3], 'float64').data]).toEqual([
        ...(given as never as number[]),
      ]);
      expect(Tensor.from(given, [3], 'bfloat16').data[0]).toBe(0x3dcd);
      const tensor = Tensor.from(given, [3]);
      expectSame(Tensor.of(structuredClone(tensor)).toFloat16Array(), given);
      expectSame(Tensor.of(JSON.parse(JSON.stringify(tensor))).toFloat16Array(), given);
    });

    it('is loaded into a layer as its state', () => {
      const layer = new SyncBatchNorm(2, { dtype: 'float16' });
      const state = layer.stateDict();
      expect(state.weight.dtype).toBe('float32');
      const given = Tensor.from(halves(0.5, 2), [2]);
      layer.loadStateDict({ ...state, weight: given.clone('float32') });
      expect([...layer.weight.data.data]).toEqual([0.5, 2]);
    });

    it('is refused by name wherever numbers are combined or bytes copied', () => {
      const group = getGroup();
      for (const call of ['allReduce', 'allGather', 'broadcast'] as const) {
        expect(() =>
          (group[call] as (array: unknown) => unknown).call(group, halves(1, 2)),
        ).toThrow(new RegExp(`^${call}: expected a Float64Array, .*, got Float16Array$`));
      }
      expect(() => new Tensor(halves(1) as never, [1], 'float16')).toThrow(
        'Tensor: float16 is stored in a Uint16Array, got Float16Array; use Tensor.from to convert',
      );
    });
  });
