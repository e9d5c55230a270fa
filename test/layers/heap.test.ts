import { allocateTensor, init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultKernels } from '../../src/kernels/select.js';
import type { WasmKernels } from '../../src/kernels/wasm/kernels.js';
import { seeded } from '../kernels/arrays.js';

beforeAll(() => init());
afterAll(release);

function memory(): { bytesInUse: number; size: number } {
  const { bytesInUse, size } = (defaultKernels() as WasmKernels).heap;
  return { bytesInUse, size };
}

/** Samples and planes on both sides of where the kernels change; many channels, and few. */
const SIZES = [
  { samples: 2, channels: 3, plane: [8, 9] },
  { samples: 9, channels: 70, plane: [2, 2] },
  { samples: 17, channels: 5, plane: [] },
  { samples: 1, channels: 300, plane: [3] },
  { samples: 3, channels: 2, plane: [20, 5, 3] },
  { samples: 0, channels: 4, plane: [2] },
];

interface Case {
  layer: SyncBatchNorm;
  shape: number[];
  dtype: 'float32' | 'float64';
  own: boolean;
}

const CASES: Case[] = SIZES.flatMap(({ samples, channels, plane }) =>
  [false, true].flatMap((channelsLast) =>
    (['float32', 'float64'] as const).flatMap((dtype) => {
      const layer = new SyncBatchNorm(channels, { channelsLast, dtype });
      const shape = channelsLast ? [samples, ...plane, channels] : [samples, channels, ...plane];
      return [false, true].map((own) => ({ layer, shape, dtype, own }));
    }),
  ),
);

/** A tensor in the kernels' memory or out of it, with values to normalise. */
function make({ shape, dtype, own }: Case): Tensor {
  const tensor = own ? allocateTensor(shape, dtype) : Tensor.zeros(shape, dtype);
  const { data } = tensor;
  for (let i = 0; i < data.length; i++) data[i] = (i * 7) % 11;
  return tensor;
}

/** A forward and a backward call, into given tensors or new ones; x and dy may not be of one kind. */
function call(c: Case, into: boolean, mixed: boolean): void {
  const tensors = [make(c), make({ ...c, own: c.own !== mixed })];
  const [x, dy] = tensors;
  const outs = into ? [make(c), make(c)] : [];
  const [y, dx] = outs;
  const results = [
    c.layer.forward(x, into ? { out: y } : {}),
    c.layer.backward(dy, into ? { out: dx } : {}),
  ];
  for (const tensor of [...tensors, ...outs, ...results]) tensor.dispose();
}

function round(): void {
  for (const c of CASES) {
    for (const into of [false, true]) for (const mixed of [false, true]) call(c, into, mixed);
  }
}

describe('10,000 forward and 10,000 backward calls on changing shapes', () => {
  it('leave the kernels’ memory where it was after the first of each', () => {
    round();
    const before = memory();
    const random = seeded(4);
    const coin = () => random() < 0.5;
    for (let i = 0; i < 10_000; i++) {
      call(CASES[Math.floor(random() * CASES.length)], coin(), coin());
    }
    expect(memory()).toEqual(before);
  });

  it('into the same tensors take no memory at all', () => {
    const held = CASES.map((c) => ({ ...c, tensors: [1, 2, 3, 4].map(() => make(c)) }));
    const before = memory();
    for (let i = 0; i < 10_000; i++) {
      const { layer, tensors } = held[i % held.length];
      const [x, dy, y, dx] = tensors;
      if (layer.forward(x, { out: y }) !== y) expect.unreachable('forward made a tensor');
      if (layer.backward(dy, { out: dx }) !== dx) expect.unreachable('backward made a tensor');
    }
    expect(memory()).toEqual(before);
    for (const { tensors } of held) for (const tensor of tensors) tensor.dispose();
  });
});

describe('what a layer holds', () => {
  const heap = () => (defaultKernels() as WasmKernels).heap;

  it('lies in the kernels’ memory, where a view stays valid while the memory grows', () => {
    const layer = new SyncBatchNorm(3);
    const tensors = [layer.weight!.data, layer.bias!.data, layer.runningMean!, layer.runningVar!];
    expect(tensors.map(({ data }) => heap().owns(data as Float32Array))).toEqual(
      tensors.map(() => true),
    );
    const { data } = layer.weight!.data;
    data.set([1, 2, 3]);
    allocateTensor([2 * heap().size]).dispose();
    expect([...data]).toEqual([1, 2, 3]);
    expect(layer.weight!.data.data).toBe(data);
    const copy = layer.stateDict().weight.data;
    expect(copy.buffer).toBeInstanceOf(ArrayBuffer);
    expect([...copy]).toEqual([1, 2, 3]);
  });

  it('does not grow with contexts that no backward call uses', () => {
    const layer = new SyncBatchNorm(8);
    const x = make({ layer, shape: [4, 8, 3], dtype: 'float32', own: true });
    const dy = make({ layer, shape: [4, 8, 3], dtype: 'float32', own: false });
    const contexts = Array.from({ length: 5 }, (_, i) => {
      layer.weight!.data.data.fill(i + 1);
      return layer.forwardWithContext(x).context;
    });
    const { bytesInUse } = memory();
    for (let i = 0; i < 50; i++) layer.forwardWithContext(x);
    expect(memory().bytesInUse).toBe(bytesInUse);
    // Each went with its own weight: gradients of the input are multiples of the first one's.
    const [first, ...others] = contexts.map((context) => layer.backward(dy, { context }).data);
    others.forEach((dx, i) => {
      const factors = Array.from(dx, (value, j) => Math.abs(value - (i + 2) * first[j]));
      expect(Math.max(...factors)).toBeLessThan(1e-5);
    });
    x.dispose();
  });
});
