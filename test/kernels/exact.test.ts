import { setFlagsFromString } from 'node:v8';
import { init, release } from 'syncbn';
import { describe, expect, test } from 'vitest';
import { computeDType, type FloatArray } from '../../src/core/dtype.js';
import { valuesOfWords } from '../../src/core/exact-sum.js';
import type { Layout } from '../../src/core/layout.js';
import { type Mask, maskOf } from '../../src/core/mask.js';
import type { ExactSums, Kernels } from '../../src/kernels/kernels.js';
import { plainKernels } from '../../src/kernels/plain.js';
import { createEngine } from '../../src/kernels/wasm/engine.js';
import { WasmKernels } from '../../src/kernels/wasm/kernels.js';
import { seeded } from './arrays.js';
import { foreign, misaligned, own, type Source } from './cases.js';
import { layoutsOf } from './layouts.js';

setFlagsFromString('--experimental-wasm-relaxed-simd');

// Loads what exact sums need; without it the plain kernels would be tested against themselves.
await init();
await release();
const baseline = new WasmKernels(createEngine({ relaxed: false }));
const relaxed = new WasmKernels(createEngine({ relaxed: true }));
const IMPLEMENTATIONS: [Kernels, Source][] = [
  [plainKernels, foreign],
  [baseline, own],
  [baseline, foreign],
  [relaxed, own],
  [relaxed, misaligned],
];

type Random = () => number;

/** A number of any of 30 orders of magnitude, a zero, or one that is subnormal as float32. */
function anyNumber(random: Random, orders: number): number {
  const kind = random();
  if (kind < 0.1) return random() < 0.5 ? 0 : -0;
  if (kind < 0.13) return (random() - 0.5) * 1e-40;
  return (random() - 0.5) * 10 ** Math.round((random() - 0.5) * orders);
}

/** What all ranks of a group hold, as one array. */
interface Whole {
  readonly layout: Layout;
  readonly x: FloatArray;
  readonly dy: FloatArray | null;
  readonly shift: Float64Array | null;
  readonly reach?: Float64Array | null | undefined;
  readonly precise: boolean;
}

/** The samples of one rank. */
function begin(whole: Whole, samples: number[], [kernels, source]: [Kernels, Source]): ExactSums {
  const { x, dy, layout } = whole;
  const size = layout.channels * layout.plane;
  const take = (array: FloatArray) => {
    const taken = source(kernels, computeDType(layout.dtype), samples.length * size);
    samples.forEach((n, i) => {
      taken.set(array.subarray(n * size, (n + 1) * size), i * size);
    });
    return taken;
  };
  const { shift, reach, precise } = whole;
  const terms = { x: take(x), dy: dy && take(dy), shift, reach: reach ?? null, precise };
  const { plane } = layout;
  const placesOf = (n: number) => [...layout.mask!.places.subarray(n * plane, (n + 1) * plane)];
  const mask = layout.mask ? maskOf(samples.flatMap(placesOf), layout.mask.zero) : null;
  return kernels.exactSums(terms, { ...layout, samples: samples.length, mask });
}

/** The sums over the samples of all ranks. */
function sumOver(whole: Whole, ranks: number[][], pick: () => [Kernels, Source]): Float64Array {
  const begun = ranks.map((samples) => begin(whole, samples, pick()));
  const bounds = new Float64Array(2 * whole.layout.channels);
  for (const sums of begun) {
    sums.bounds.forEach((bound, i) => {
      bounds[i] = Math.max(bounds[i], bound);
    });
  }
  const words = new Float64Array(2 * bounds.length);
  for (const sums of begun) {
    sums.words(bounds).forEach((word, i) => {
      words[i] += word;
    });
  }
  const values = new Float64Array(bounds.length);
  valuesOfWords(values, words, bounds);
  return values;
}

const bitsOf = (values: Float64Array) => [...new BigUint64Array(values.buffer)];

const every = (layout: Layout) => Array.from({ length: layout.samples }, (_, n) => n);

describe('exact sums', () => {
  test('are those of WebAssembly once a program has joined its world', () => {
    for (const kernels of [baseline, relaxed]) {
      for (const plane of [1, 49]) {
        const layout = {
          samples: 2,
          channels: 2,
          plane,
          channelsLast: false,
          dtype: 'float32',
        } as const;
        const terms = { x: new Float32Array(4 * plane), dy: null, shift: null, precise: false };
        expect(kernels.heap.owns(kernels.exactSums(terms, layout).bounds)).toBe(true);
      }
    }
  });

  test('have the same bits for every split, order and kernels: 2,500 cases', () => {
    const random = seeded(77);
    const among = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)];
    let differing = 0;
    const examples: string[] = [];
    for (let number = 0; number < 2500; number++) {
      let mask: Mask | null = null;
      const bare = {
        samples: Math.floor(random() * 12),
        channels: among([1, 2, 3, 5, 8]),
        plane: among([1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 49, 64, 100, 130, 417]),
        channelsLast: random() < 0.4,
        dtype: among(['float32', 'float32', 'float64'] as const),
      };
      if (random() < 0.3) {
        const places = Array.from({ length: bare.samples * bare.plane }, () => random() > 0.4);
        mask = maskOf(places.map(Number), random() < 0.5);
      }
      const layout: Layout = { ...bare, mask };
      const { samples, channels, plane, dtype } = layout;
      const orders = among([0, 4, 30]);
      const fill = () => {
        const array = foreign(plainKernels, computeDType(dtype), samples * channels * plane);
        return array.map(() => anyNumber(random, orders));
      };
      const shift = random() < 0.5 ? null : new Float64Array(channels).map(() => random() - 0.5);
      const dy = random() < 0.5 ? fill() : null;
      const x = fill();
      const most = 1 + Math.max(0, ...Array.from(x, Math.abs));
      const reach =
        dy === null || random() < 0.5
          ? null
          : new Float64Array(channels).map(() => most * (1 + random()));
      const whole = { layout, x, dy, shift, reach, precise: random() < 0.1 };
      const want = sumOver(whole, [every(layout)], () => IMPLEMENTATIONS[0]);
      const ranks: number[][] = Array.from({ length: 1 + Math.floor(random() * 7) }, () => []);
      for (const n of every(layout).sort(() => random() - 0.5)) among(ranks).push(n);
      const got = sumOver(whole, ranks, () => among(IMPLEMENTATIONS));
      const [a, b] = [bitsOf(want), bitsOf(got)];
      const wrong = a.filter((bits, i) => bits !== b[i]).length;
      differing += wrong;
      if (wrong > 0 && examples.length < 5) {
        examples.push(JSON.stringify({ number, layout, ranks, want: [...want], got: [...got] }));
      }
    }
    expect(examples).toEqual([]);
    expect(differing).toBe(0);
  });

  test.each([false, true])(
    'have the bits of the plain kernels at every unroll boundary, channels last: %s',
    (channelsLast) => {
      const random = seeded(78);
      for (const layout of layoutsOf(channelsLast, 'float32')) {
        if (layout.samples * layout.channels * layout.plane > 150_000) continue;
        const fill = () =>
          new Float32Array(layout.samples * layout.channels * layout.plane).map(
            () => 3 * (random() - 0.4),
          );
        const [x, dy] = [fill(), fill()];
        for (const gradient of [false, true]) {
          for (const shift of [null, new Float64Array(layout.channels).map(() => random())]) {
            const places = Float64Array.from({ length: layout.samples * layout.plane }, random);
            const mask = shift === null ? null : maskOf(places.map(Math.round), true);
            const given = { ...layout, mask };
            const reach = shift === null || !gradient ? null : shift.map(() => 9);
            const terms = { dy: gradient ? dy : null, shift, reach, precise: false };
            const whole = { layout: given, x, ...terms };
            const want = bitsOf(sumOver(whole, [every(layout)], () => IMPLEMENTATIONS[0]));
            for (const implementation of [IMPLEMENTATIONS[1], IMPLEMENTATIONS[2]]) {
              const got = bitsOf(sumOver(whole, [every(layout)], () => implementation));
              expect(got, JSON.stringify({ layout, gradient, shift: shift !== null })).toEqual(
                want,
              );
            }
          }
        }
      }
    },
  );

  test('have the bits of the plain kernels if terms are just large enough to need no rounding', () => {
    const random = seeded(81);
    const dtype = 'float32' as const;
    for (let power = 20; power <= 28; power++) {
      for (const samples of [4, 9, 70]) {
        const layout = { samples, channels: 5, plane: 1, channelsLast: false, dtype };
        const small = () => (1 + random()) * 2 ** -power;
        // Zeros, powers of two, and numbers with all digits; the largest are between 1 and 2.
        const fill = () =>
          new Float32Array(5 * samples).map((_, i) => {
            const sign = random() < 0.5 ? 1 : -1;
            if (random() < 0.1) return 0;
            if (i < 5 || random() < 0.6) return sign * (1 + random());
            return sign * (random() < 0.1 ? 2 ** -power : small());
          });
        const [x, dy] = [fill(), fill()];
        for (const given of [null, dy]) {
          for (const shift of [null, new Float64Array(5).fill(0.25)]) {
            const reach = shift === null || given === null ? null : shift.map(() => 9);
            const whole = { layout, x, dy: given, shift, reach, precise: false };
            const want = bitsOf(sumOver(whole, [every(layout)], () => IMPLEMENTATIONS[0]));
            for (const implementation of IMPLEMENTATIONS.slice(1)) {
              const got = bitsOf(sumOver(whole, [every(layout)], () => implementation));
              expect(got, `2^-${power}, ${samples} samples`).toEqual(want);
            }
          }
        }
      }
    }
  });

  test('have no terms where nothing counts', () => {
    const random = seeded(80);
    for (const [plane, channelsLast] of [
      [1, false],
      [2, false],
      [9, false],
      [9, true],
    ] as const) {
      const places = Array.from({ length: 6 * plane }, () => Math.round(random()));
      const bare = { samples: 6, channels: 3, plane, channelsLast, dtype: 'float32' as const };
      const layout = { ...bare, mask: maskOf(places, true) };
      const placeOf = (i: number) =>
        channelsLast ? Math.floor(i / 3) : Math.floor(i / (3 * plane)) * plane + (i % plane);
      const fill = (other: number) =>
        new Float32Array(18 * plane).map((_, i) => {
          const value = random();
          return places[placeOf(i)] === 0 ? other : value;
        });
      const [x, dy] = [fill(Number.NaN), fill(Number.POSITIVE_INFINITY)];
      const zeros = (array: Float32Array) => array.map((v) => (Number.isFinite(v) ? v : 0));
      for (const implementation of IMPLEMENTATIONS) {
        const of = (given: Layout, a: Float32Array, b: Float32Array) => {
          const whole = { layout: given, x: a, dy: b, shift: null, precise: false };
          return bitsOf(
            sumOver(
              whole,
              [
                [0, 1],
                [2, 3, 4, 5],
              ],
              () => implementation,
            ),
          );
        };
        expect(of(layout, x, dy)).toEqual(of(bare, zeros(x), zeros(dy)));
      }
    }
  });

  test('are as near to the float64 sums as the element type is', () => {
    const random = seeded(79);
    for (const dtype of ['float32', 'float64'] as const) {
      for (const plane of [1, 3, 49, 784]) {
        const layout = { samples: 9, channels: 3, plane, channelsLast: false, dtype };
        const x = foreign(plainKernels, dtype, 27 * plane).map(() => 4 * random() - 1.5);
        const whole = { layout, x, dy: null, shift: null, precise: false };
        const got = sumOver(whole, [every(layout)], () => [baseline, own]);
        for (let c = 0; c < 3; c++) {
          let [sum, squares] = [0, 0];
          for (let i = 0; i < x.length; i++) {
            if (Math.floor(i / plane) % 3 !== c) continue;
            sum += x[i];
            squares += x[i] ** 2;
          }
          const most = dtype === 'float32' ? 3e-7 : 1e-14;
          expect(Math.abs(got[c] - sum) / squares).toBeLessThan(most);
          expect(Math.abs(got[3 + c] - squares) / squares).toBeLessThan(most);
        }
      }
    }
  });

  test('are NaN in the channels that have NaN or infinity, and in no other', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const channelsLast of [false, true]) {
        for (const plane of [1, 2, 49]) {
          for (const implementation of IMPLEMENTATIONS) {
            const layout = {
              samples: 3,
              channels: 3,
              plane,
              channelsLast,
              dtype: 'float32',
            } as const;
            const x = new Float32Array(9 * plane).map((_, i) => (i % 5) - 2);
            x[channelsLast ? 3 * plane + 1 : 4 * plane] = bad;
            const whole = { layout, x, dy: null, shift: null, precise: false };
            const got = sumOver(whole, [[0], [1, 2], []], () => implementation);
            expect([...got].map(Number.isFinite)).toEqual([true, false, true, true, false, true]);
          }
        }
      }
    }
  });
});
