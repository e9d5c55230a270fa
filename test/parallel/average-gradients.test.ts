import fc from 'fast-check';
import {
  type AverageOptions,
  averageGradients,
  init,
  Parameter,
  release,
  Tensor,
  zeroGradients,
} from 'syncbn';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { expectClose } from '../harness/numbers.js';
import { closeSharedWorlds, SIZES, sharedWorld } from '../harness/world.js';
import type { Holder, ParallelScript } from '../ranks/run-parallel.js';

afterAll(closeSharedWorlds);
afterEach(release);

const run = (size: number, scriptOf: (rank: number) => ParallelScript | null) =>
  sharedWorld(size).results<number[][]>('parallel', scriptOf);
const errors = async (size: number, scriptOf: (rank: number) => ParallelScript) =>
  (await sharedWorld(size).run('parallel', scriptOf)).map(({ error }) => error);

const parameter = (values: number[] | null, size?: number): Holder => ({
  kind: 'parameter',
  dtype: 'float32',
  values,
  ...(size !== undefined && { size }),
});

describe.each(SIZES)('averageGradients over %i ranks', (size) => {
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  const sum = (term: (rank: number) => number) => ranks.reduce((s, rank) => s + term(rank), 0);

  it('gives every rank the mean of the ranks’ gradients', async () => {
    const results = await run(size, (rank) => ({ holders: [parameter([rank, 6 * rank + 1])] }));
    const mean = sum((rank) => rank) / size;
    for (const [own] of results) expectClose(own, [mean, 6 * mean + 1], 1e-7);
  });

  it('weights means by the samples that they come from, and sums sums', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(5), { minLength: size, maxLength: size }),
        fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: size, maxLength: size }),
        fc.constantFrom<AverageOptions[]>({}, { lossReduction: 'mean' }, { lossReduction: 'sum' }),
        async (counts, slopes, options) => {
          const results = await run(size, (rank) => ({
            holders: [{ kind: 'array', dtype: 'float64', values: [slopes[rank], 1] }],
            options: { sampleCount: counts[rank], ...options },
          }));
          const total = sum((rank) => counts[rank]);
          const weight = (rank: number) => (options.lossReduction === 'sum' ? 1 : counts[rank]);
          const expected = [(r: number) => slopes[r], () => 1].map((slope) =>
            total === 0 ? 0 : sum((rank) => weight(rank) * slope(rank)) / total,
          );
          for (const [own] of results) {
            expectClose(own, expected, 1e-14 * 9 * size);
            expect(own).toEqual(results[0][0]);
          }
        },
      ),
      { numRuns: 15 },
    );
  });

  it('counts a missing gradient as zeros and fills it; what all lack stays missing', async () => {
    const results = await run(size, (rank) => ({
      holders: [parameter(rank === 0 ? null : [size, 0], 2), parameter(null, 1)],
    }));
    const first = size === 1 ? null : [size - 1, 0];
    for (const own of results) expect(own).toEqual([first, null]);
  });

  it('takes parameters, tensors and arrays of all types and sizes in one call', async () => {
    const holders = (rank: number): Holder[] => [
      { kind: 'tensor', dtype: 'float16', values: [rank, 0.1] },
      { kind: 'array', dtype: 'float64', values: [] },
      { kind: 'parameter', dtype: 'bfloat16', values: [rank] },
      { kind: 'array', dtype: 'float32', values: Array.from({ length: 9000 }, (_, i) => i + rank) },
      { kind: 'tensor', dtype: 'float64', values: [1 / 3] },
    ];
    const results = await run(size, (rank) => ({ holders: holders(rank) }));
    const mean = sum((rank) => rank) / size;
    for (const [half, none, brain, long, double] of results) {
      expectClose(half, [mean, 0.1], 2 ** -11);
      expect(half[1]).toBe(Tensor.from([0.1], [1], 'float16').toFloats()[0]);
      expect(none).toEqual([]);
      expect(brain).toEqual([mean]);
      expectClose(
        long,
        Array.from({ length: 9000 }, (_, i) => i + mean),
        1e-7,
      );
      expectClose(double, [1 / 3], 1e-16);
    }
  });

  it('does nothing for no gradients at all', async () => {
    expect(await run(size, () => ({ holders: [] }))).toEqual(ranks.map(() => []));
  });
});

describe('samples', () => {
  it('that nobody has leave gradients of 0, whatever they were', async () => {
    for (const lossReduction of ['mean', 'sum'] as const) {
      const results = await run(2, () => ({
        holders: [parameter([Number.NaN, 5])],
        options: { sampleCount: 0, lossReduction },
      }));
      expect(results).toEqual([[[0, 0]], [[0, 0]]]);
    }
  });

  it('that one rank has none of make its mean, 0 / 0, count for nothing', async () => {
    const results = await run(2, (rank) => ({
      holders: [parameter([rank === 0 ? Number.NaN : 3])],
      options: { sampleCount: 4 * rank },
    }));
    expect(results).toEqual([[[3]], [[3]]]);
  });

  it('are averaged within the group that is named', async () => {
    const group = { name: 'average', ranks: [3, 1] };
    const results = await run(4, (rank) =>
      group.ranks.includes(rank)
        ? { holders: [parameter([rank])], group, options: { sampleCount: rank } }
        : null,
    );
    expect([results[1], results[3]]).toEqual([[[2.5]], [[2.5]]]);
  });
});

describe('zeroGradients', () => {
  it('forgets gradients, so that a parameter nobody uses keeps none', async () => {
    await init();
    const [used, unused] = ['a', 'b'].map((name) => new Parameter(name, Tensor.zeros([1])));
    for (const parameter of [used, unused]) parameter.grad = Tensor.from([12]);
    zeroGradients([used, unused]);
    expect([used.grad, unused.grad]).toEqual([null, null]);
    used.grad = Tensor.from([2]);
    averageGradients([used, unused]);
    expect([...used.grad.data]).toEqual([2]);
    expect(unused.grad).toBeNull();
    expect(() => zeroGradients([Tensor.zeros([1]) as never])).toThrow(
      new TypeError('zeroGradients: expected Parameters, got Tensor'),
    );
  });
});

describe('errors of one rank', () => {
  const good: ParallelScript = { holders: [parameter([1])], options: { sampleCount: 1 } };

  it.each<[unknown, string]>([
    [-1, 'averageGradients: sampleCount must be finite and 0 or more, got -1'],
    [Number.NaN, 'averageGradients: sampleCount must be finite and 0 or more, got NaN'],
    [
      Number.POSITIVE_INFINITY,
      'averageGradients: sampleCount must be finite and 0 or more, got Infinity',
    ],
    ['3', "averageGradients: sampleCount must be finite and 0 or more, got '3'"],
  ])('reach the others: sampleCount %s', async (sampleCount, message) => {
    const bad = { ...good, options: { sampleCount: sampleCount as number } };
    expect(await errors(2, (rank) => (rank === 1 ? bad : good))).toEqual([
      { name: 'RankFailedError', message: `rank 1 failed: RangeError: ${message}` },
      { name: 'RangeError', message },
    ]);
  });

  it('reach the others: lossReduction', async () => {
    const bad = { ...good, options: { lossReduction: 'median' as never } };
    const message = "averageGradients: lossReduction must be mean or sum, got 'median'";
    expect(await errors(3, (rank) => (rank === 0 ? bad : good))).toEqual([
      { name: 'RangeError', message },
      { name: 'RankFailedError', message: `rank 0 failed: RangeError: ${message}` },
      { name: 'RankFailedError', message: `rank 0 failed: RangeError: ${message}` },
    ]);
  });

  it.each<[string, ParallelScript, RegExp]>([
    [
      'other sizes',
      { ...good, holders: [parameter([1, 2])] },
      /rank 1 is in allReduce #\d+ of averageGradients by sampleCount \(mean\) of 1 arrays: p \(2,\) float32 with 4 float64, rank 0 .* of 1 arrays: p \(1,\) float32 with 3 float64$/,
    ],
    [
      'no sample count',
      { holders: good.holders },
      /rank 1 is in allReduce #\d+ of averageGradients of .* with 3 float64, rank 0 in .* of averageGradients by sampleCount \(mean\) of/,
    ],
    [
      'another loss',
      { ...good, options: { sampleCount: 1, lossReduction: 'sum' } },
      /rank 1 is in .* by sampleCount \(sum\) .*, rank 0 in .* by sampleCount \(mean\)/,
    ],
  ])('reach the others: %s', async (_, bad, message) => {
    const found = await errors(2, (rank) => (rank === 1 ? bad : good));
    expect(found[0]?.name).toBe('MismatchError');
    expect(found[0]?.message).toMatch(message);
    expect(found[1]).toEqual(found[0]);
  });

  it('are told for gradients in another order, of equal sizes: nothing is mixed', async () => {
    const named = ['bn1.weight', 'bn1.bias', 'fc.weight', 'fc.bias'].map((name, i) => ({
      ...parameter([i, i + 1]),
      name,
    }));
    const [a, b, c, d] = named;
    const orders = [
      [a, b, c, d],
      [b, a, c, d],
      // Past what a label holds in words, by the digest.
      [a, b, c, { ...d, name: 'fc.biases' }],
      [a, b, c, { ...d, dtype: 'float64' as const }],
      [a, b, c, d],
    ];
    for (const [i, order] of orders.entries()) {
      const found = await errors(2, (rank) => ({ holders: rank === 1 ? order : named }));
      for (const error of found) {
        if (i === 0 || i === 4) expect(error).toBeUndefined();
        else expect(error?.name).toBe('MismatchError');
      }
      if (i === 1) expect(found[0]?.message).toContain('of 4 arrays: bn1.bias (2,) float32, bn1.');
    }
  });

  it.each<[object, string]>([
    [
      { sample_count: 3 },
      "unknown option 'sample_count'; known are group, sampleCount, lossReduction, reproducible; did you mean 'sampleCount'?",
    ],
    [
      { processGroup: 'world' },
      "unknown option 'processGroup'; known are group, sampleCount, lossReduction, reproducible",
    ],
    [{ lossReduction: 'sum' }, "lossReduction 'sum' needs a sampleCount to divide by"],
  ])('reach the others: options %j', async (options, message) => {
    const found = await errors(2, (rank) => (rank === 1 ? { ...good, options } : good));
    const text = `averageGradients: ${message}`;
    expect(found).toEqual([
      { name: 'RankFailedError', message: `rank 1 failed: TypeError: ${text}` },
      { name: 'TypeError', message: text },
    ]);
  });

  it('are told before init, and for what has no gradient', async () => {
    expect(() => averageGradients([])).toThrow(
      new Error('averageGradients: there is no world yet; call init() first, and await it'),
    );
    await init();
    expect(() => averageGradients([], { group: 'nobody' })).toThrow(RangeError);
    for (const [holder, text] of [
      [3, '3'],
      [null, 'null'],
      [[1, 2], 'Array'],
      [new Int32Array(1), 'Int32Array'],
    ]) {
      expect(() => averageGradients([holder as never])).toThrow(
        new TypeError(
          `averageGradients: expected Parameters, Tensors, Float32Arrays or Float64Arrays, got ${text}`,
        ),
      );
    }
  });

  it('do not occur in a world of one, which divides by its own samples', async () => {
    await init();
    const holder = new Parameter('p', Tensor.zeros([2]));
    holder.grad = Tensor.from([4, 6]);
    const { grad } = holder;
    averageGradients([holder], { sampleCount: 2, lossReduction: 'sum' });
    expect(holder.grad).toBe(grad);
    expect([...grad.data]).toEqual([2, 3]);
  });
});
