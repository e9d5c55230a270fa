import { setFlagsFromString } from 'node:v8';
import { describe, expect, test } from 'vitest';
import type { FloatArray } from '../../src/core/dtype.js';
import { createKernels } from '../../src/kernels/select.js';
import { createEngine, PAGE } from '../../src/kernels/wasm/engine.js';
import { WasmKernels } from '../../src/kernels/wasm/kernels.js';
import { seeded } from './arrays.js';
import { all, foreign, makeCase, own, runStages } from './cases.js';

setFlagsFromString('--experimental-wasm-relaxed-simd');

const make = (maxPages?: number) =>
  new WasmKernels(createEngine(maxPages === undefined ? {} : { maxPages }));

/** Allocates until there is nothing left; what it took. */
function exhaust(kernels: WasmKernels): FloatArray[] {
  const held: FloatArray[] = [];
  for (let length = 2 ** 20; length >= 1; length /= 4) {
    try {
      for (;;) held.push(kernels.allocate('float32', length));
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
    }
  }
  return held;
}

describe('the heap', () => {
  test('gives zeroed, aligned arrays that do not overlap', () => {
    const kernels = make();
    const arrays = [0, 1, 3, 4, 1000].flatMap((length) => [
      kernels.allocate('float32', length),
      kernels.allocate('float64', length),
    ]);
    for (const [i, array] of arrays.entries()) {
      expect(array.byteOffset % 16).toBe(0);
      expect(array.every((value) => value === 0)).toBe(true);
      array.fill(i + 1);
    }
    for (const [i, array] of arrays.entries()) {
      expect(array.every((value) => value === i + 1)).toBe(true);
    }
  });

  test('zeroes memory that was used before', () => {
    const kernels = make();
    const first = kernels.allocate('float32', 100).fill(7);
    const pointer = first.byteOffset;
    kernels.release(first);
    const second = kernels.allocate('float32', 100);
    expect(second.byteOffset).toBe(pointer);
    expect(second.every((value) => value === 0)).toBe(true);
  });

  test('is where it was after 10,000 arrays of changing sizes', () => {
    const kernels = make();
    const random = seeded(1);
    const held = Array.from({ length: 20 }, () => kernels.allocate('float32', 20_000));
    for (const array of held) kernels.release(array);
    held.length = 0;
    const size = kernels.heap.size;
    for (let i = 0; i < 10_000; i++) {
      if (held.length === 8) kernels.release(held.splice(Math.floor(random() * 8), 1)[0]);
      held.push(kernels.allocate('float32', Math.floor(random() * 20_000)));
    }
    for (const array of held) kernels.release(array);
    expect(kernels.heap.bytesInUse).toBe(0);
    expect(kernels.heap.size).toBe(size);
  });

  test('keeps the views that a user holds while it grows', () => {
    const kernels = make();
    const held = kernels.allocate('float32', 1000).fill(3);
    const size = kernels.heap.size;
    const large = kernels.allocate('float64', 4_000_000);
    expect(kernels.heap.size).toBeGreaterThan(size);
    expect(held).toHaveLength(1000);
    held[999] = 4;
    // Still used where it lies: a copy would leave this array as it is.
    expect(kernels.heap.owns(held)).toBe(true);
    expect(kernels.heap.owns(large)).toBe(true);
    expect(kernels.heap.owns(new Float32Array(1))).toBe(false);
  });

  test('says what was asked for and what there is when memory is exhausted, and goes on', () => {
    const kernels = make(64);
    const held = kernels.allocate('float32', 250_000).fill(5);
    expect(() => kernels.allocate('float64', 1_000_000)).toThrow(
      new RegExp(`1000000 float64 \\(8000000 bytes\\): 1000000 of ${64 * PAGE} bytes are in use`),
    );
    expect(() => kernels.allocate('float32', 2 ** 29)).toThrow(RangeError);
    expect(held.every((value) => value === 5)).toBe(true);
    expect(kernels.heap.bytesInUse).toBe(1_000_000);
    kernels.release(held);
    expect(kernels.allocate('float32', 250_000)).toHaveLength(250_000);
  });

  test('releases an array once, and leaves others alone', () => {
    const kernels = make();
    const array = kernels.allocate('float32', 10);
    kernels.release(array);
    kernels.release(array);
    kernels.release(new Float32Array(10));
    expect(kernels.heap.bytesInUse).toBe(0);
    const [a, b] = [kernels.allocate('float32', 10), kernels.allocate('float32', 10)];
    expect(a.byteOffset).not.toBe(b.byteOffset);
  });

  test('takes foreign arrays far larger than its memory may be', () => {
    const kernels = make(32);
    const layout = {
      samples: 2,
      channels: 3,
      plane: 300_000,
      channelsLast: false,
      dtype: 'float32',
    } as const;
    const x = new Float32Array(1_800_000).map((_, i) => (i % 7) - 3);
    const [mean, m2] = [new Float64Array(3), new Float64Array(3)];
    kernels.moments(mean, m2, x, layout, { from: 0, to: 3 });
    expect(Math.max(...mean.map(Math.abs))).toBeLessThan(1e-4);
    for (const value of m2) expect(value / 600_000).toBeCloseTo(4, 4);
    expect(kernels.heap.size).toBeLessThanOrEqual(32 * PAGE);
  });
});

describe('reserved memory', () => {
  /** Of every variant of the kernels, small ones: what they keep depends on channels and planes. */
  const layoutsOf = (channels: number) =>
    [1, 2, 4, 49, 50, 64]
      .flatMap((plane) => [1, 9].map((samples) => ({ samples, channels, plane })))
      .filter(({ samples, plane }) => samples * channels * plane <= 40_000)
      .flatMap((sizes) => [false, true].map((channelsLast) => ({ ...sizes, channelsLast })));

  for (const relaxed of [false, true]) {
    test.each([
      ['own', own],
      ['foreign', foreign],
    ])(`is all that the stages need over %s arrays, relaxed SIMD ${relaxed}`, (_, source) => {
      for (const channels of [1, 16, 400, 4000]) {
        const kernels = new WasmKernels(createEngine({ maxPages: 640, relaxed }));
        const cases = layoutsOf(channels).flatMap((layout) =>
          (['float32', 'float64'] as const).map((dtype) =>
            makeCase(kernels, source, { ...layout, dtype }),
          ),
        );
        kernels.reserve(channels);
        exhaust(kernels);
        for (const c of cases) runStages(kernels, c, [all(c.layout)]);
      }
    });
  }

  test('that is not there is an error with sizes, which leaves what was reserved before', () => {
    const kernels = make(64);
    const layout = {
      samples: 9,
      channels: 256,
      plane: 49,
      channelsLast: false,
      dtype: 'float32',
    } as const;
    const c = makeCase(kernels, foreign, layout);
    kernels.reserve(256);
    const held = exhaust(kernels);
    for (const array of held) expect(kernels.heap.owns(array)).toBe(true);
    const { bytesInUse, size } = kernels.heap;
    expect(() => kernels.reserve(4096)).toThrow(
      new RangeError(
        `kernels: no memory for work on 4096 channels (557056 bytes): ${bytesInUse} of ` +
          `${64 * PAGE} bytes are in use, and one array takes 1073738560 at most; ` +
          'release tensors that are no longer needed',
      ),
    );
    expect([kernels.heap.bytesInUse, kernels.heap.size]).toEqual([bytesInUse, size]);
    runStages(kernels, c, [all(layout)]);
    for (const array of held) kernels.release(array);
    kernels.reserve(4096);
  });
});

test('arrays that are collected return to the heap', async () => {
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const kernels = make();
  (() => {
    for (let i = 0; i < 100; i++) kernels.allocate('float32', 1000);
  })();
  expect(kernels.heap.bytesInUse).toBe(400_000);
  for (let turn = 0; turn < 50 && kernels.heap.bytesInUse > 0; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(kernels.heap.bytesInUse).toBe(0);
});

test('plain kernels serve where the engine has no WebAssembly SIMD, with one warning', () => {
  const warnings: string[] = [];
  const warn = console.warn;
  console.warn = (message: string) => warnings.push(message);
  try {
    const missing = () => {
      throw new Error('no shared memory');
    };
    expect(createKernels(missing).name).toBe('plain');
    expect(createKernels(missing).name).toBe('plain');
  } finally {
    console.warn = warn;
  }
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('no shared memory');
  expect(createKernels().name).toMatch(/^wasm/);
});
