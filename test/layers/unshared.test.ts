/** The second memory, which is not shared, for tensors that lie outside the kernels' memory. */

import { init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ARRAYS, type TensorData } from '../../src/core/dtype.js';
import { sizeOf } from '../../src/core/layout.js';
import type { Kernels } from '../../src/kernels/kernels.js';
import { plainKernels } from '../../src/kernels/plain.js';
import { createEngine } from '../../src/kernels/wasm/engine.js';
import { WasmKernels } from '../../src/kernels/wasm/kernels.js';
import { withKernels } from '../../src/ops/kernels.js';
import { besides } from '../../src/ops/memory/unshared.js';
import { expectSame } from '../harness/numbers.js';
import { seeded } from '../kernels/arrays.js';

type DType = keyof typeof ARRAYS;

beforeAll(() => init());
afterAll(release);

const wasm = (maxPages = 4096) => new WasmKernels(createEngine({ maxPages }));

/** The same kernels as something else, which has no second memory. */
function alone(kernels: Kernels): Kernels {
  const names = Object.getOwnPropertyNames(WasmKernels.prototype).concat(
    Object.getOwnPropertyNames(Object.getPrototypeOf(WasmKernels.prototype)),
  ) as (keyof Kernels)[];
  const calls = names.map((name) => [name, (kernels[name] as () => void).bind?.(kernels)]);
  return { ...Object.fromEntries(calls), name: kernels.name };
}

/** Compares results to the bit: most numbers at once, since there are millions. */
function expectSameBits(got: TensorData[], want: TensorData[]): void {
  got.forEach((values, i) => {
    const [a, b] = [values, want[i]].map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength),
    );
    if (!a.equals(b)) expectSame(values, want[i]);
  });
}

interface Options {
  channelsLast?: boolean;
  dtype?: DType;
  masked?: boolean;
  tail?: boolean;
  reproducible?: boolean;
}

/** Results of two training steps and an inference over arrays of JavaScript's own memory. */
function train(kernels: Kernels, shape: number[], options: Options) {
  const { channelsLast = false, dtype = 'float32', masked, tail, reproducible = false } = options;
  const random = seeded(sizeOf(shape));
  const tensor = () => {
    const values = new Float32Array(sizeOf(shape));
    for (let i = 0; i < values.length; i++) values[i] = random() * 3 - 1;
    return Tensor.from(values, shape, dtype);
  };
  const channels = channelsLast ? shape[shape.length - 1] : shape[1];
  const [x, dy, add] = [tensor(), tensor(), tensor()];
  const empty = () => new Tensor(new ARRAYS[dtype](sizeOf(shape)), shape, dtype);
  const [y, dx, dadd, z] = [empty(), empty(), empty(), empty()];
  const places = Uint8Array.from({ length: sizeOf(shape) / channels }, (_, i) => Number(i % 5 < 3));
  return withKernels(kernels, () => {
    const dtypes = { channelsLast, reproducible, dtype: dtype === 'float64' ? dtype : 'float32' };
    const layer = new SyncBatchNorm(channels, dtypes as { dtype: 'float32' });
    const forward = { ...(masked && { mask: places }), ...(tail && { add, activation: 'relu' }) };
    for (let step = 0; step < 2; step++) {
      layer.forward(x, { ...forward, out: y } as { out: Tensor });
      layer.backward(dy, { out: dx, ...(tail && { addOut: dadd }) });
    }
    layer.setTrain(false);
    layer.forward(x, { out: z });
    const { weight, bias, runningMean, runningVar } = layer;
    const parameters = [weight.grad!, bias.grad!, runningMean!, runningVar!];
    return [x, y, dx, dadd, z, ...parameters].map(({ data }) => data);
  });
}

const CASES: [what: string, shape: number[], options: Options][] = [
  ['copies by blocks', [8, 40, 28, 28], {}],
  ['small planes', [16, 200, 7, 7], {}],
  ['rows', [300, 70], {}],
  ['channels last', [4, 14, 14, 130], { channelsLast: true }],
  ['pieces of a large array', [5, 69, 56, 56], {}],
  ['float64', [4, 40, 20, 20], { dtype: 'float64' }],
  ['float16', [4, 20, 28, 28], { dtype: 'float16' }],
  ['bfloat16', [5, 7, 3], { dtype: 'bfloat16' }],
  ['a mask', [8, 40, 28, 28], { masked: true }],
  ['a tail', [8, 40, 28, 28], { tail: true }],
  ['reproducible sums', [8, 40, 28, 28], { reproducible: true }],
];

describe('a second memory', () => {
  it.each(CASES)('gives the bits that the first one gives: %s', (_, shape, options) => {
    const [both, one] = [wasm(), wasm()];
    const [got, want] = [train(both, shape, options), train(alone(one), shape, options)];
    expectSameBits(got, want);
    const second = besides(both, 1) as WasmKernels;
    // It is there, has been used, and is one that programs copy to at full speed.
    expect(second.heap.memory.buffer).toBeInstanceOf(ArrayBuffer);
    expect(second.heap.bytesInUse).toBeGreaterThan(100_000);
    expect(second.name).toBe(both.name);
    expect(besides(alone(one), 1)).not.toBeInstanceOf(WasmKernels);
  });

  it('holds the copies, and the first one does not', () => {
    const [both, one] = [wasm(), wasm()];
    for (const kernels of [both, alone(one)]) train(kernels, [8, 40, 28, 28], {});
    const copies = 2 * 4 * 8 * 40 * 784;
    expect(one.heap.bytesInUse - both.heap.bytesInUse).toBeGreaterThanOrEqual(copies);
  });

  it('never grows, which would detach the arrays in it', () => {
    const kernels = wasm();
    for (const shape of [
      [9, 5000],
      [4, 12_000],
      [8, 40, 28, 28],
      [3, 9000, 3],
    ]) {
      train(kernels, shape, {});
    }
    const second = besides(kernels, 1) as WasmKernels;
    expect(second.heap.size).toBe(second.heap.capacity);
  });

  it('is not taken if it has no room for so many channels, nor by other kernels', () => {
    const kernels = wasm();
    expect(besides(kernels, 64)).not.toBe(kernels);
    expect(besides(kernels, 90_000)).toBe(kernels);
    expect(besides(kernels, 64)).not.toBe(kernels);
    expect(besides(plainKernels, 64)).toBe(plainKernels);
    const [got, want] = [kernels, alone(wasm())].map((own) => train(own, [2, 90_000], {}));
    expectSameBits(got, want);
  });

  it('is done without if the engine does not give it', () => {
    const kernels = wasm();
    const Memory = WebAssembly.Memory;
    WebAssembly.Memory = class {
      constructor() {
        throw new RangeError('no memory');
      }
    } as never;
    try {
      expect(besides(kernels, 64)).toBe(kernels);
    } finally {
      WebAssembly.Memory = Memory;
    }
    const [got, want] = [kernels, alone(wasm())].map((own) => train(own, [8, 40, 28, 28], {}));
    expectSameBits(got, want);
  });
});
