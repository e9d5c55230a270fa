import fc from 'fast-check';
import { averageGradients, type DType, init, Parameter, release, Tensor } from 'syncbn';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { closeSharedWorlds, SIZES, sharedWorld } from '../harness/world.js';
import type { SampleScript } from '../ranks/averages.js';

afterAll(closeSharedWorlds);
afterEach(release);

type Average = { shape: number[]; values: Float64Array } | null;

const average = (size: number, scriptOf: (rank: number) => SampleScript) =>
  sharedWorld(size).results<Average>('exact-average', scriptOf);

/** Samples of three numbers over 30 orders of magnitude, zeros and subnormals. */
const element = fc.oneof(
  fc.constantFrom(0, -0, 1e-45, -3e-42),
  fc
    .tuple(fc.double({ min: -10, max: 10, noNaN: true }), fc.integer({ min: -15, max: 15 }))
    .map(([mantissa, exponent]) => Math.fround(mantissa * 10 ** exponent)),
);
const sample = fc.array(element, { minLength: 3, maxLength: 3 }).map((s) => Float64Array.from(s));

describe('reproducible averages', () => {
  it('have the same bits for every way of dealing samples out to ranks, in any order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(sample, fc.nat(420)), { maxLength: 12 }),
        fc.constantFrom<DType>('float32', 'float64', 'bfloat16'),
        async (samples, dtype) => {
          const results: Float64Array[] = [];
          for (const size of SIZES) {
            const share = (rank: number) =>
              samples.filter(([, to]) => to % size === rank).map(([own]) => own);
            const found = await average(size, (rank) => ({
              ...{
                shape: [3],
                dtype,
                samples: size % 2 === 0 ? share(rank) : share(rank).reverse(),
              },
              options: { sampleCount: share(rank).length, lossReduction: 'sum' },
            }));
            for (const one of found) {
              expect(one?.shape).toEqual([3]);
              results.push(one!.values);
            }
          }
          for (const one of results) expect(one).toEqual(results[0]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are right to the last bit where float64 can tell', async () => {
    const values = [3, -1, 2 ** 24, 0.5, -(2 ** 24)];
    const found = await average(2, (rank) => ({
      ...{ shape: [1], dtype: 'float32' },
      samples: values.filter((_, i) => i % 2 === rank).map((v) => Float64Array.of(v)),
      options: { sampleCount: rank === 0 ? 3 : 2, lossReduction: 'sum' },
    }));
    for (const one of found) expect([...one!.values]).toEqual([Math.fround(2.5 / 5)]);
  });

  it('take matrices of more columns than one chunk, each column by itself', async () => {
    const width = 20_001;
    const at = (i: number, s: number) => ((i * 31 + s * 17) % 1001) * 2 ** ((i % 40) - 20);
    const found = await average(3, (rank) => ({
      ...{ shape: [3, width / 3], dtype: 'float32' },
      samples: [0, 1].map((s) =>
        Float64Array.from({ length: width }, (_, i) => at(i, 2 * rank + s)),
      ),
      options: {},
    }));
    const want = Float64Array.from({ length: width }, (_, i) => {
      let sum = 0;
      for (let s = 0; s < 6; s++) sum += at(i, s);
      return Math.fround(sum / 3);
    });
    for (const one of found) {
      expect(one?.shape).toEqual([3, width / 3]);
      expect(one?.values).toEqual(want);
    }
  });

  it('weigh means by their counts, and leave out those of no samples', async () => {
    const found = await average(3, (rank) => ({
      ...{ shape: [1], dtype: 'float32' },
      samples: [Float64Array.of([4, Number.NaN, 1][rank])],
      options: { sampleCount: [1, 0, 2][rank] },
    }));
    for (const one of found) expect([...one!.values]).toEqual([2]);
    const nobody = await average(2, () => ({
      ...{ shape: [1], dtype: 'float32', samples: [Float64Array.of(Number.NaN)] },
      options: { sampleCount: 0 },
    }));
    for (const one of nobody) expect([...one!.values]).toEqual([0]);
  });

  it('count a missing gradient as none, and leave it missing where all lack it', async () => {
    const found = await average(2, (rank) => ({
      ...{ shape: [2], dtype: 'float32', options: {} },
      samples: rank === 0 ? null : [Float64Array.of(6, 8)],
    }));
    for (const one of found) expect([...one!.values]).toEqual([3, 4]);
    const none = { shape: [2], dtype: 'float32' as const, samples: null, options: {} };
    expect(await average(2, () => none)).toEqual([null, null]);
  });

  it('are NaN where a term is', async () => {
    const found = await average(2, (rank) => ({
      ...{ shape: [2], dtype: 'float32', options: {} },
      samples: [Float64Array.of(rank === 0 ? Number.NaN : 1, 2)],
    }));
    for (const one of found) expect([...one!.values]).toEqual([Number.NaN, 2]);
  });

  it('run on one rank, and leave arrays in place', async () => {
    await init();
    const parameter = new Parameter('p', Tensor.zeros([2]));
    parameter.grad = Tensor.from([1, 2, 3, 4, 5, 6], [3, 2]);
    const array = Float32Array.of(8, 9);
    averageGradients([parameter, array], {
      reproducible: true,
      sampleCount: 2,
      lossReduction: 'sum',
    });
    expect(parameter.grad.shape).toEqual([2]);
    expect([...parameter.grad.data]).toEqual([4.5, 6]);
    expect([...array]).toEqual([4, 4.5]);
  });

  it('refuse gradients of other shapes, and options of other types', async () => {
    await init();
    const parameter = new Parameter('w', Tensor.zeros([2]));
    parameter.grad = Tensor.from([1, 2, 3], [3]);
    expect(() => averageGradients([parameter], { reproducible: true })).toThrow(
      new RangeError(
        "averageGradients: the gradient of 'w' must have shape (2,), or one axis of samples " +
          'before it, got (3,)',
      ),
    );
    expect(() => averageGradients([], { reproducible: 1 as never })).toThrow(
      new TypeError('averageGradients: reproducible must be true or false, got 1'),
    );
  });
});
