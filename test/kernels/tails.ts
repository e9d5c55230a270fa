/** The contract of a pass with a tail, for every implementation of the kernels. */

import { describe, expect, test } from 'vitest';
import { type DType, fromFloat16, narrow, type TensorData, widen } from '../../src/core/dtype.js';
import type { Layout } from '../../src/core/layout.js';
import { maskOf } from '../../src/core/mask.js';
import type { Kernels, Normalization, Tail } from '../../src/kernels/kernels.js';
import { fillNormal, seeded } from './arrays.js';
import { all, foreign, own, type Source } from './cases.js';
import { layoutsInParts, layoutsOf, PARTS } from './layouts.js';
import { forEachValue } from './masks.js';

/** The unit in the last place of a number of 1. */
const ROUNDING = { float32: 1e-6, float64: 1e-11, float16: 2 ** -10, bfloat16: 2 ** -7 };
const DTYPES = ['float32', 'float64', 'float16', 'bfloat16'] as const;

function take(source: Source, kernels: Kernels, dtype: DType, length: number): TensorData {
  if (dtype === 'float32' || dtype === 'float64') return source(kernels, dtype, length);
  if (source === foreign) return new Uint16Array(length);
  return source === own ? kernels.allocate(dtype, length) : misalignedHalves(kernels, length);
}

const misalignedHalves = (kernels: Kernels, length: number) =>
  kernels.allocate('float16', length + 1).subarray(1);

/** Arrays of one layout, filled with numbers that its type holds. */
function makeArrays(kernels: Kernels, source: Source, layout: Layout) {
  const { samples, channels, plane, dtype } = layout;
  const length = samples * channels * plane;
  const random = seeded(length + 31 * channels);
  const array = (mean: number) => {
    const data = take(source, kernels, dtype, length);
    const numbers = new Float64Array(length);
    fillNormal(numbers, random, mean);
    narrow(numbers, data, dtype);
    return data;
  };
  const list = (mean: number) => {
    const numbers = source(kernels, 'float64', channels) as Float64Array;
    fillNormal(numbers, random, mean, 0.2);
    return numbers;
  };
  const floats = (mean: number) => {
    const wide = dtype === 'float64' ? 'float64' : 'float32';
    const numbers = source(kernels, wide, channels);
    fillNormal(numbers, random, mean, 0.2);
    return numbers;
  };
  const by = { mean: list(0.3), invstd: list(1), weight: floats(1), bias: floats(0) };
  return { x: array(0.3), z: array(0.1), dy: array(0.1), y: array(7), g: array(7), by };
}

/** The formula, value by value in float64. */
function derived(
  x: TensorData,
  { add, rectify }: Tail,
  { mean, invstd, weight, bias }: Normalization,
  layout: Layout,
): Float64Array {
  const [values, added] = [x, add].map((array) => array && widen(array, layout.dtype));
  const y = new Float64Array(x.length);
  forEachValue(layout, (i, place, c) => {
    const normalized = (values![i] - mean[c]) * invstd[c] * (weight?.[c] ?? 1) + (bias?.[c] ?? 0);
    const sum = normalized + (added?.[i] ?? 0);
    const none = layout.mask?.zero && layout.mask.places[place] === 0;
    y[i] = none || (rectify && sum < 0) ? 0 : sum;
  });
  return y;
}

function expectNumbers(got: TensorData, want: Float64Array, layout: Layout, what: string): void {
  const [numbers, most] = [widen(got, layout.dtype), ROUNDING[layout.dtype]];
  want.forEach((value, i) => {
    if (Object.is(numbers[i], value)) return;
    if (Math.abs(numbers[i] - value) <= most * (1 + Math.abs(value))) return;
    const { mask, ...shape } = layout;
    const text = JSON.stringify({ ...shape, mask: mask?.count });
    expect.fail(`${what} of ${text}: ${numbers[i]} at ${i}, wanted ${value}`);
  });
}

/** dy where y is above 0 or NaN. */
function gatedOf(dy: TensorData, y: TensorData, dtype: DType): number[] {
  return Array.from(widen(y, dtype), (value, i) => (value <= 0 ? 0 : dy[i]));
}

const TAILS = [
  [false, true],
  [true, false],
  [true, true],
] as const;

/** All boundaries, and three that pass the staging arrays in several pieces. */
const LAYOUTS: Omit<Layout, 'dtype'>[] = [
  ...[false, true]
    .flatMap((channelsLast) => layoutsOf(channelsLast, 'float32'))
    .filter(({ samples, channels, plane }) => samples * channels * plane <= 2500),
  { samples: 2, channels: 3, plane: 12_000, channelsLast: false },
  { samples: 3, channels: 5, plane: 4801, channelsLast: true },
  { samples: 600, channels: 130, plane: 1, channelsLast: false },
  // Rows over 1 KB.
  { samples: 9, channels: 301, plane: 1, channelsLast: false },
];

/** The contract, for one implementation and one origin of arrays. */
export function describeTails(name: string, make: () => Kernels, source: Source): void {
  describe.each(DTYPES)(`${name} on %s with a tail`, (dtype) => {
    const ranges = (layout: Layout) => [all(layout)];
    const check = (layout: Layout, [hasAdd, rectify]: readonly boolean[], parts = ranges) => {
      const kernels = make();
      const { x, z, dy, y, g, by } = makeArrays(kernels, source, layout);
      const tail = { add: hasAdd ? z : null, rectify };
      for (const range of parts(layout)) {
        kernels.tails().normalize(y, x, tail, by, layout, range);
        kernels.tails().gate(g, dy, y, layout, range);
      }
      expectNumbers(y, derived(x, tail, by, layout), layout, 'y');
      const gated = gatedOf(dy, y, dtype);
      expect(g.findIndex((value, i) => !Object.is(value, gated[i]))).toBe(-1);
      for (const array of [x, z, dy, y, g]) kernels.release(array);
    };

    test('follow the formula at every unroll boundary', () => {
      for (const [i, bare] of LAYOUTS.entries()) check({ ...bare, dtype }, TAILS[i % 3]);
      for (const plane of [1, 3, 49, 65]) {
        for (const tail of TAILS) {
          for (const channelsLast of [false, true]) {
            check({ samples: 9, channels: 5, plane, channelsLast, dtype }, tail);
          }
        }
      }
    });

    if (dtype === 'float32' && source === own) {
      test('take samples of arrays in memory side by side', () => {
        const layout = { samples: 7, channels: 3, plane: 100_001, channelsLast: false, dtype };
        for (const tail of TAILS) check(layout, tail);
      }, 60_000);

      test('go through rows of 4 MB and more in two chunks', () => {
        check({ samples: 3, channels: 17, plane: 23_001, channelsLast: true, dtype }, TAILS[2]);
      });
    }

    test.each([false, true])('take masks; zeros: %s', (zero) => {
      for (const [i, bare] of LAYOUTS.entries()) {
        if (i % 4 !== 0) continue;
        const random = seeded(i);
        const places = Array.from({ length: bare.samples * bare.plane }, () => 2 * random());
        check({ ...bare, dtype, mask: maskOf(places.map(Math.floor), zero) }, TAILS[(i >> 2) % 3]);
      }
    });

    test('work on parts of the channels', () => {
      for (const channelsLast of [false, true]) {
        for (const layout of layoutsInParts(channelsLast, dtype)) {
          for (const tail of TAILS) check(layout, tail, () => [...PARTS]);
        }
      }
    });

    test('leave channels outside the range alone', () => {
      const kernels = make();
      for (const channelsLast of [false, true]) {
        for (const plane of [1, 3, 49]) {
          const layout = { samples: 9, channels: 5, plane, channelsLast, dtype };
          const { x, z, dy, y, g, by } = makeArrays(kernels, source, layout);
          const [beforeY, beforeG] = [y.slice(), g.slice()];
          const range = { from: 2, to: 3 };
          kernels.tails().normalize(y, x, { add: z, rectify: true }, by, layout, range);
          kernels.tails().gate(g, dy, y, layout, range);
          forEachValue(layout, (i, _, c) => {
            if (c === 2) return;
            expect([y[i], g[i]]).toEqual([beforeY[i], beforeG[i]]);
          });
        }
      }
    });

    test('write over their inputs', () => {
      const kernels = make();
      for (const channelsLast of [false, true]) {
        for (const plane of [1, 3, 49, 67]) {
          const layout = { samples: 9, channels: 7, plane, channelsLast, dtype };
          const { x, z, dy, y, g, by } = makeArrays(kernels, source, layout);
          const tails = kernels.tails();
          const normalize = (out: TensorData, from: TensorData, add: TensorData) =>
            tails.normalize(out, from, { add, rectify: true }, by, layout, all(layout));
          normalize(y, x, z);
          tails.gate(g, dy, y, layout, all(layout));
          const [wantedY, wantedG, before] = [y.slice(), g.slice(), x.slice()];
          normalize(x, x, z);
          expect(x).toEqual(wantedY);
          x.set(before);
          normalize(z, x, z);
          expect(z).toEqual(wantedY);
          tails.gate(z, dy, z, layout, all(layout));
          expect(z).toEqual(wantedG);
          tails.gate(dy, dy, y, layout, all(layout));
          expect(dy).toEqual(wantedG);
          // One array as both inputs.
          normalize(g, x, x);
          const twice = derived(x, { add: x, rectify: true }, by, layout);
          expectNumbers(g, twice, layout, 'x + x');
        }
      }
    });

    test('keep NaN and -0, and let the gradient of NaN through', () => {
      const kernels = make();
      for (const plane of [1, 5, 67]) {
        const layout = { samples: 9, channels: 2, plane, channelsLast: false, dtype };
        const { x, dy, y, g } = makeArrays(kernels, source, layout);
        const list = (value: number) => new Float64Array(2).fill(value);
        const by = { mean: list(0), invstd: list(1), weight: null, bias: list(-0) };
        const cycle = [Number.NaN, -0, 0, 1, -1, Number.POSITIVE_INFINITY, -1e-6, 2 ** -14];
        narrow(
          Array.from(x, (_, i) => cycle[i % 8]),
          x,
          dtype,
        );
        for (const add of [null, x]) {
          kernels.tails().normalize(y, x, { add, rectify: true }, by, layout, all(layout));
          const signs = Array.from(widen(y, dtype), (value) => (value > 0 ? 1 : value));
          const wanted = [Number.NaN, -0, 0, 1, 0, 1, 0, 1];
          signs.forEach((sign, i) => {
            expect(sign).toBe(wanted[i % 8]);
          });
          kernels.tails().gate(g, dy, y, layout, all(layout));
          const through = [true, false, false, true, false, true, false, true];
          expect([...g]).toEqual(Array.from(dy, (value, i) => (through[i % 8] ? value : 0)));
        }
      }
    });
  });

  test(`${name} let through by each of 65,536 patterns as its number says`, () => {
    const kernels = make();
    const layout = { samples: 1, channels: 1, plane: 65_536, channelsLast: false };
    const [y, dy, g] = [0, 1, 2].map(() => take(source, kernels, 'float16', 65_536));
    y.set(Uint16Array.from(y, (_, i) => i));
    dy.fill(0x3c00);
    kernels.tails().gate(g, dy, y, { ...layout, dtype: 'float16' }, { from: 0, to: 1 });
    const through = (value: number) => (value <= 0 ? 0 : 0x3c00);
    expect(g.findIndex((value, i) => value !== through(fromFloat16(i)))).toBe(-1);
    kernels.tails().gate(g, dy, y, { ...layout, dtype: 'bfloat16' }, { from: 0, to: 1 });
    const numbers = widen(y, 'bfloat16');
    expect(g.findIndex((value, i) => value !== through(numbers[i]))).toBe(-1);
  });
}
