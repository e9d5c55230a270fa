/** float16 and bfloat16 in the kernels: conversions to the bit, stages and exact sums by the oracle. */

import { setFlagsFromString } from 'node:v8';
import { init, release } from 'syncbn';
import { describe, expect, test } from 'vitest';
import { narrow, toBfloat16, toFloat16, widen } from '../../src/core/dtype.js';
import { valuesOfWords } from '../../src/core/exact-sum.js';
import { countPerChannel, type Layout } from '../../src/core/layout.js';
import { type Mask, maskOf } from '../../src/core/mask.js';
import type { Kernels } from '../../src/kernels/kernels.js';
import { plainKernels } from '../../src/kernels/plain.js';
import { createEngine } from '../../src/kernels/wasm/engine.js';
import { WasmKernels } from '../../src/kernels/wasm/kernels.js';
import { kernelsOf } from '../../src/kernels/wasm/types.js';
import { fillNormal, seeded, worstError } from './arrays.js';
import { all } from './cases.js';
import { layoutsOf } from './layouts.js';

setFlagsFromString('--experimental-wasm-relaxed-simd');

// Loads the kernels of 16 bits.
await init();
await release();
const engine = createEngine({ relaxed: false });
const wasm = new WasmKernels(engine);

const HALVES = ['float16', 'bfloat16'] as const;
type Half = (typeof HALVES)[number];
const encodeOf = (dtype: Half) => (dtype === 'float16' ? toFloat16 : toBfloat16);

type Source = (kernels: Kernels, dtype: Half, length: number) => Uint16Array;
const SOURCES: [string, Kernels, Source][] = [
  ['own arrays', wasm, (kernels, dtype, length) => kernels.allocate(dtype, length) as Uint16Array],
  [
    'misaligned arrays',
    wasm,
    (kernels, dtype, length) => kernels.allocate(dtype, length + 1).subarray(1) as Uint16Array,
  ],
  ['foreign arrays', wasm, (_, __, length) => new Uint16Array(length)],
  ['plain kernels', plainKernels, (_, __, length) => new Uint16Array(length)],
];

/** All bit patterns, and the numbers that they stand for. */
const PATTERNS = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** float32 numbers half-way between neighbours, and next to that; then beyond the largest. */
function boundaries(dtype: Half): Float32Array {
  const values = widen(PATTERNS, dtype).filter(Number.isFinite).sort();
  const found: number[] = [];
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  for (let i = 1; i < values.length; i++) {
    float[0] = (values[i - 1] + values[i]) / 2;
    found.push(values[i], float[0]);
    for (const step of [1, -2]) {
      bits[0] += step;
      if (Number.isFinite(float[0])) found.push(float[0]);
    }
  }
  const largest = dtype === 'float16' ? 65504 : 3.3895313892515355e38;
  found.push(largest, -largest, 65519.996, 65520, 65536, 3.4e38, Number.POSITIVE_INFINITY);
  found.push(Number.NEGATIVE_INFINITY, 0, -0, 1e-45, -1e-45);
  return Float32Array.from(found);
}

describe.each(HALVES)('%s', (dtype) => {
  const encode = encodeOf(dtype);
  const pair = (length: number) => ({
    halves: wasm.allocate(dtype, length) as Uint16Array,
    floats: wasm.allocate('float32', length),
  });

  test('is widened for all bit patterns, and narrowed to the same', () => {
    const { halves, floats } = pair(65536);
    halves.set(PATTERNS);
    const { widen: widenTo, narrow: narrowTo } = kernelsOf(dtype, engine);
    widenTo(floats.byteOffset, halves.byteOffset, 65536);
    const want = widen(PATTERNS, dtype);
    for (let i = 0; i < 65536; i++) {
      if (!Object.is(floats[i], want[i])) expect.fail(`${i}: ${floats[i]}, not ${want[i]}`);
    }
    halves.fill(0);
    narrowTo(halves.byteOffset, floats.byteOffset, 65536);
    for (let i = 0; i < 65536; i++) {
      const same = Number.isNaN(want[i]) ? widen(halves.subarray(i, i + 1), dtype)[0] : halves[i];
      if (!Object.is(same, Number.isNaN(want[i]) ? Number.NaN : i)) expect.fail(`${i}: ${same}`);
    }
  });

  test('is rounded to nearest, ties to even, at every boundary', () => {
    const values = boundaries(dtype);
    const { halves, floats } = pair(values.length);
    floats.set(values);
    kernelsOf(dtype, engine).narrow(halves.byteOffset, floats.byteOffset, values.length);
    expect(values.length).toBeGreaterThan(200_000);
    for (let i = 0; i < values.length; i++) {
      if (halves[i] !== encode(values[i])) {
        expect.fail(`${values[i]}: ${halves[i]}, not ${encode(values[i])}`);
      }
    }
  });

  describe.each(SOURCES)('in %s', (_, kernels, source) => {
    const take = (length: number) => source(kernels, dtype, length);

    test.each([1, 2, 7, 64, 8192])('has all values times a weight, planes of %s', (plane) => {
      for (const weight of [1, 1.0009765625, 0.33333334, 3, 1e-3]) {
        for (const channelsLast of [false, true]) {
          const layout: Layout = {
            samples: 65536 / 8192,
            channels: 1,
            plane: 8192,
            channelsLast,
            dtype,
          };
          const shaped = { ...layout, samples: Math.floor(65536 / plane), plane };
          const length = shaped.samples * plane;
          const [x, y] = [take(length), take(length)];
          x.set(PATTERNS.subarray(65536 - length));
          const by = {
            mean: Float64Array.of(0),
            invstd: Float64Array.of(1),
            weight: Float32Array.of(weight),
            bias: null,
          };
          kernels.normalize(y, x, by, shaped, all(shaped));
          const numbers = widen(x, dtype).map((value) => value * Math.fround(weight) + 0);
          const want = widen(
            Uint16Array.from(numbers, (value) => encode(value)),
            dtype,
          );
          const got = widen(y, dtype);
          for (let i = 0; i < length; i++) {
            if (Object.is(got[i], want[i])) continue;
            expect.fail(`${x[i]} times ${weight} is ${got[i]}, not ${want[i]}`);
          }
        }
      }
    });

    test.each(['none', 'some', 'zero'] as const)(
      'runs all stages at every unroll boundary, mask: %s',
      (kind) => {
        const layouts = [false, true]
          .flatMap((channelsLast) => layoutsOf(channelsLast, 'float32'))
          .filter(({ samples, channels, plane }) => samples * channels * plane <= 1500)
          // Under a mask the kernels of float32 run over what was widened: fewer will do.
          .filter((_, i) => kind === 'none' || i % 3 === 0);
        for (const bare of layouts) {
          const { samples, channels, plane } = bare;
          const random = seeded(samples * 31 + channels * 7 + plane);
          const places = Array.from({ length: samples * plane }, () => Math.floor(3 * random()));
          const mask: Mask | null = kind === 'none' ? null : maskOf(places, kind === 'zero');
          const layout: Layout = { ...bare, dtype, mask };
          runStages(kernels, layout, take, encode);
        }
      },
    );

    test('works on parts of the channels, and over its inputs', () => {
      for (const [samples, plane, channelsLast] of [
        [2, 67, false],
        [9, 49, false],
        [9, 1, false],
        [5, 3, true],
      ] as const) {
        const layout: Layout = { samples, channels: 7, plane, channelsLast, dtype };
        runStages(kernels, layout, take, encode, [0, 1, 5, 7]);
      }
    });

    test('has the exact sums of its numbers', () => {
      const random = seeded(9);
      for (const plane of [1, 2, 9, 49, 417]) {
        for (const channelsLast of [false, true]) {
          for (const zero of [null, true]) {
            const places = Array.from({ length: 5 * plane }, () => Math.round(random()));
            const mask = zero === null ? null : maskOf(places, zero);
            const bare = { samples: 5, channels: 3, plane, channelsLast, mask };
            const [x, dy] = [take(15 * plane), take(15 * plane)];
            for (const array of [x, dy]) {
              narrow(
                Float32Array.from(array, () => 4 * random() - 1.5),
                array,
                dtype,
              );
            }
            const shift = Float64Array.of(0, 0.25, 1 / 3);
            const sumsOf = (of: Kernels, a: Float32Array | Uint16Array, b: typeof a) => {
              const half = a instanceof Uint16Array;
              const layout: Layout = { ...bare, dtype: half ? dtype : 'float32' };
              const sums = of.exactSums({ x: a, dy: b, shift, precise: false }, layout);
              const bounds = sums.bounds.slice();
              const words = sums.words(bounds).slice();
              const values = new Float64Array(6);
              valuesOfWords(values, words, bounds);
              return [...values];
            };
            const [wide, wideDy] = [widen(x, dtype), widen(dy, dtype)] as Float32Array[];
            expect(sumsOf(kernels, x, dy)).toEqual(sumsOf(plainKernels, wide, wideDy));
          }
        }
      }
    });
  });
});

/** Runs all stages over numbers of 16 bits, and compares them with float64 over the same numbers. */
function runStages(
  kernels: Kernels,
  layout: Layout,
  take: (length: number) => Uint16Array,
  encode: (value: number) => number,
  cuts: number[] = [0, layout.channels],
): void {
  const { samples, channels, plane } = layout;
  const dtype = layout.dtype as Half;
  const length = samples * channels * plane;
  const random = seeded(length + channels);
  const [x, dy, y, dx] = [take(length), take(length), take(length), take(length)];
  const [wideX, wideDy] = [0.3, 0.1].map((mean, i) => {
    const numbers = new Float64Array(length);
    fillNormal(numbers, random, mean, 1);
    narrow(numbers, [x, dy][i], dtype);
    return Float64Array.from(widen([x, dy][i], dtype));
  });
  const list = () => new Float64Array(channels);
  const weight = Float32Array.from(list(), () => 1 + 0.1 * random());
  const bias = Float32Array.from(list(), () => random());
  const float64: Layout = { ...layout, dtype: 'float64' };
  const run = (of: Kernels, at: Layout, arrays: [Any, Any, Any, Any], parts: number[]) => {
    const [a, b, c, d] = arrays;
    const [mean, m2, sums, means] = [list(), list(), pairOf(list), pairOf(list)];
    let invstd = list();
    for (const [i, to] of parts.slice(1).entries()) {
      const range = { from: parts[i], to };
      const count = of.moments(mean, m2, a, at, range);
      expect(count).toBe(countPerChannel(at));
      invstd = m2.map((value) => 1 / Math.sqrt(value / Math.max(count, 1) + 1e-2));
      const by = { mean, invstd, weight, bias };
      of.normalize(c, a, by, at, range);
      of.gradientSums(sums, b, a, by, at, range);
      for (let k = range.from; k < to; k++) {
        means.dy[k] = sums.dy[k] / Math.max(count, 1);
        means.dyXhat[k] = sums.dyXhat[k] / Math.max(count, 1);
      }
      of.inputGradient(d, b, a, by, means, at, range);
    }
    return { mean, m2, sums, means, by: { mean, invstd, weight, bias } };
  };
  const [want, wantDx] = [new Float64Array(length), new Float64Array(length)];
  const oracle = run(plainKernels, float64, [wideX, wideDy, want, wantDx], [0, channels]);
  const got = run(kernels, layout, [x, dy, y, dx], cuts);
  const what = JSON.stringify({ ...layout, mask: layout.mask?.count });
  const root = Math.sqrt(Math.max(1, countPerChannel(layout)));
  expect(worstError(got.mean, oracle.mean, 1), what).toBeLessThanOrEqual(1e-6);
  expect(worstError(got.m2, oracle.m2, 1e-3), what).toBeLessThanOrEqual(1e-6);
  expect(worstError(got.sums.dy, oracle.sums.dy, root), what).toBeLessThanOrEqual(1e-6);
  expect(worstError(got.sums.dyXhat, oracle.sums.dyXhat, 10 * root), what).toBeLessThanOrEqual(
    1e-6,
  );
  const near = (result: Uint16Array, numbers: Float64Array) => {
    const slack = numbers.map((value) => 1e-5 * (1 + Math.abs(value)));
    const bound = (sign: number) =>
      widen(
        Uint16Array.from(numbers, (value, i) => encode(value + sign * slack[i])),
        dtype,
      );
    const [values, low, high] = [widen(result, dtype), bound(-1), bound(1)];
    for (let i = 0; i < length; i++) {
      if (low[i] <= values[i] && values[i] <= high[i]) continue;
      expect.fail(`${what}: ${i}: ${values[i]}, ${numbers[i]}`);
    }
  };
  near(y, want);
  near(dx, wantDx);
  kernels.inputGradient(dy, dy, x, got.by, got.means, layout, all(layout));
  expect(dy).toEqual(dx);
  kernels.normalize(x, x, got.by, layout, all(layout));
  expect(x).toEqual(y);
}

type Any = Uint16Array | Float64Array;
const pairOf = (list: () => Float64Array) => ({ dy: list(), dyXhat: list() });
