import fc from 'fast-check';
import type { SyncBatchNormOptions } from 'syncbn';
import { afterAll, describe, expect, it } from 'vitest';
import { expectClose, expectSame } from '../harness/numbers.js';
import { type OracleResult, oracle, type Part } from '../harness/oracle.js';
import { closeSharedWorlds, SIZES, sharedWorld } from '../harness/world.js';
import type { LayerScript, PassResult } from '../ranks/run-layer.js';

afterAll(closeSharedWorlds);

type Dtype = 'float32' | 'float64';
const TOLERANCE = { float32: 1e-6, float64: 1e-12 };

/** Numbers that `dtype` holds exactly. */
const numbers = (dtype: Dtype) =>
  fc
    .double({ min: -8, max: 8, noNaN: true })
    .map((value) => (dtype === 'float32' ? Math.fround(value) : value));

const list = <T>(element: fc.Arbitrary<T>, length: number) =>
  fc.array(element, { minLength: length, maxLength: length });

/** A rank's part: 0 to 4 samples, 0 to 3 trailing axes of sizes of its own. */
function parts(size: number, channels: number, channelsLast: boolean, dtype: Dtype) {
  const one = fc.record({ samples: fc.nat(4), axes: fc.nat(3) }).chain(({ samples, axes }) =>
    list(fc.integer({ min: 1, max: 3 }), axes).chain((trailing) => {
      const shape = channelsLast
        ? [samples, ...trailing, channels]
        : [samples, channels, ...trailing];
      const length = shape.reduce((product, axis) => product * axis, 1);
      return fc.record({
        x: list(numbers(dtype), length),
        dy: list(numbers(dtype), length),
        shape: fc.constant(shape),
      });
    }),
  );
  return list(one, size);
}

function cases(size: number) {
  return fc
    .record({
      channels: fc.integer({ min: 1, max: 4 }),
      channelsLast: fc.boolean(),
      dtype: fc.constantFrom<Dtype>('float32', 'float64'),
    })
    .chain(({ channels, channelsLast, dtype }) =>
      fc.record({
        channels: fc.constant(channels),
        channelsLast: fc.constant(channelsLast),
        dtype: fc.constant(dtype),
        parts: parts(size, channels, channelsLast, dtype),
        affine: fc.boolean(),
        reproducible: fc.boolean(),
        trackRunningStats: fc.boolean(),
        momentum: fc.constantFrom(null, 0, 0.1, 0.5, 1),
        eps: fc.constantFrom(1e-5, 1e-3, 0.1),
        weight: list(numbers(dtype), channels),
        bias: list(numbers(dtype), channels),
      }),
    );
}

type Case = ReturnType<typeof cases> extends fc.Arbitrary<infer T> ? T : never;

function scriptFor(c: Case, part: Part, options: SyncBatchNormOptions): LayerScript {
  const { x, dy, shape } = part;
  const numbersOf = (values: readonly number[]) => ({
    values: [...values],
    shape: [...shape],
    dtype: c.dtype,
  });
  const { channelsLast, dtype, reproducible, eps, affine, momentum, trackRunningStats } = c;
  return {
    kind: 'SyncBatchNorm',
    numFeatures: c.channels,
    options: {
      ...{ channelsLast, dtype, reproducible, eps, affine, momentum, trackRunningStats },
      ...options,
    },
    state: { weight: c.weight, bias: c.bias },
    passes: [{ x: numbersOf(x), dy: numbersOf(dy) }],
  };
}

const oracleFor = (c: Case, ones = c) =>
  oracle(c.parts, {
    channels: c.channels,
    channelsLast: c.channelsLast,
    eps: c.eps,
    weight: c.affine ? ones.weight : c.weight.map(() => 1),
    bias: c.affine ? ones.bias : c.bias.map(() => 0),
  });

/** Largest magnitude among some numbers; sums of them are accurate relative to it. */
const scaleOf = (values: readonly number[]) => Math.max(1, ...values.map(Math.abs));

/**
 * About the largest of the terms whose sum is element `i` of dx, 1 at least: they may cancel, and
 * be far larger than the sum. They hold dy of all ranks.
 */
function largestTerm(
  c: Case,
  { invstd }: OracleResult,
  { shape }: Part,
  largestDy: number,
  i: number,
): number {
  const plane = shape.slice(2).reduce((product, size) => product * size, 1);
  const channel = (c.channelsLast ? i : Math.floor(i / plane)) % c.channels;
  const weight = c.affine ? Math.abs(c.weight[channel]) : 1;
  return Math.max(1, weight * invstd[channel] * largestDy);
}

/** Close relative to the sizes of the terms, 1 at least: where they cancel, their errors do not. */
function expectCloseIn(
  terms: readonly number[],
  actual: readonly number[] | undefined,
  expected: readonly number[],
  tolerance: number,
): void {
  const inTerms = (values: readonly number[] | undefined) =>
    values?.map((value, i) => value / Math.max(1, terms[i]));
  expectClose(inTerms(actual), inTerms(expected)!, tolerance);
}

function checkPass(
  c: Case,
  expected: OracleResult,
  results: PassResult[],
  parts: readonly Part[] = c.parts,
): void {
  const tolerance = TOLERANCE[c.dtype];
  const largestDy = scaleOf(c.parts.flatMap(({ dy }) => dy));
  results.forEach((result, rank) => {
    const { y, dx, dweight, dbias, terms } = expected.ranks[rank];
    expect(result.error).toBeUndefined();
    expectCloseIn(terms.y, result.y, y, tolerance);
    const dxTerms = dx.map((_, i) => largestTerm(c, expected, parts[rank], largestDy, i));
    expectCloseIn(dxTerms, result.dx, dx, tolerance);
    if (c.affine) {
      expectCloseIn(terms.dweight, result.gradients![0]!, dweight, tolerance);
      expectCloseIn(terms.dbias, result.gradients![1]!, dbias, tolerance);
    } else {
      expect(result.gradients).toEqual([]);
    }
  });
}

function checkRunning(c: Case, { count, mean, m2 }: OracleResult, results: PassResult[]): void {
  const names = Object.keys(results[0].state);
  expect(names.includes('runningMean')).toBe(c.trackRunningStats);
  for (const { state } of results) {
    for (const name of names) expectSame(state[name], results[0].state[name]);
    if (!c.trackRunningStats) continue;
    const share = count === 0 ? 0 : (c.momentum ?? 1);
    const variance = m2.map((sum) => 1 - share + (share === 0 ? 0 : (share * sum) / (count - 1)));
    expectClose(
      state.runningMean,
      mean.map((value) => share * value),
      TOLERANCE[c.dtype] * 8,
    );
    expectClose(state.runningVar, variance, TOLERANCE[c.dtype] * 8);
    expect(state.numBatchesTracked).toEqual([count === 0 ? 0 : 1]);
  }
}

describe.each(SIZES)('SyncBatchNorm over %i ranks', (size) => {
  it('equals batch normalization of the whole batch, however it is split', async () => {
    await fc.assert(
      fc.asyncProperty(cases(size), async (c) => {
        const expected = oracleFor(c);
        const results = await sharedWorld(size).results<PassResult[]>('layer', (rank) =>
          scriptFor(c, c.parts[rank], {}),
        );
        const passes = results.map(([pass]) => pass);
        if (expected.count === 1) {
          for (const { error } of passes) {
            expect(error?.name).toBe('RangeError');
            expect(error?.message).toMatch(/more than one value per channel/);
          }
          return;
        }
        checkPass(c, expected, passes);
        checkRunning(c, expected, passes);
      }),
      { numRuns: 40 },
    );
  });

  it('normalises by the running statistics in inference, each rank for itself', async () => {
    await fc.assert(
      fc.asyncProperty(cases(size), async (c) => {
        const fixed = { mean: c.bias, variance: c.weight.map((w) => w * w + 0.5) };
        const expected = oracle(c.parts, {
          ...c,
          weight: c.affine ? c.weight : c.weight.map(() => 1),
          bias: c.affine ? c.bias : c.bias.map(() => 0),
          fixed: {
            mean: fixed.mean,
            variance: fixed.variance.map((v) => (c.dtype === 'float32' ? Math.fround(v) : v)),
          },
        });
        // One rank alone, while the others do nothing: inference never communicates.
        for (const rank of [0, size - 1]) {
          const script = scriptFor(c, c.parts[rank], { trackRunningStats: true });
          script.state = { ...script.state, runningMean: fixed.mean, runningVar: fixed.variance };
          script.passes[0].train = false;
          const results = await sharedWorld(size).results<PassResult[]>('layer', (r) =>
            r === rank ? script : null,
          );
          const [pass] = results[rank];
          const own = { ...expected, ranks: [expected.ranks[rank]] };
          checkPass(c, own, [pass], [c.parts[rank]]);
          expect(pass.state.numBatchesTracked).toEqual([0]);
        }
      }),
      { numRuns: 10 },
    );
  });
});

describe('reproducible statistics', () => {
  const whole = fc.record({
    x: list(numbers('float32'), 12 * 2 * 5),
    dy: list(numbers('float32'), 12 * 2 * 5),
    cuts: list(fc.nat(12), 6),
    shift: fc.constantFrom(0, 100, 1e5),
  });

  it('give the same bits for every split of the batch over 1, 2, 3, 4 and 7 ranks', async () => {
    await fc.assert(
      fc.asyncProperty(whole, async ({ x, dy, cuts, shift }) => {
        const shifted = x.map((value) => Math.fround(value + shift));
        const runs: number[][] = [];
        for (const size of SIZES) {
          const ends = [...cuts.slice(0, size - 1).sort((a, b) => a - b), 12];
          const results = await sharedWorld(size).results<PassResult[]>('layer', (rank) => {
            const [from, to] = [rank === 0 ? 0 : ends[rank - 1], ends[rank]];
            const part = (values: number[]) => ({
              values: values.slice(from * 10, to * 10),
              shape: [to - from, 2, 5],
              dtype: 'float32' as const,
            });
            return {
              kind: 'SyncBatchNorm',
              numFeatures: 2,
              options: { reproducible: true, groupGradients: true },
              passes: [{ x: part(shifted), dy: part(dy) }],
            };
          });
          const passes = results.map(([pass]) => pass);
          runs.push([
            ...passes.flatMap((pass) => pass.y!),
            ...passes.flatMap((pass) => pass.dx!),
            ...passes[0].state.runningMean,
            ...passes[0].state.runningVar,
            ...passes[0].gradients!.flatMap((gradient) => gradient!),
          ]);
          for (const { gradients } of passes) expect(gradients).toEqual(passes[0].gradients);
        }
        for (const run of runs) expectSame(run, runs[0]);
      }),
      { numRuns: 15 },
    );
  });
});

describe('the mean far from 0', () => {
  it.each([1e3, 1e4, 1e5])('leaves the variance right at mean / std = %d', async (ratio) => {
    const values = (rank: number) =>
      Array.from({ length: 600 }, (_, i) =>
        Math.fround(0.1 * ratio + 0.1 * Math.sin(12.9 * (i + 600 * rank) + 0.5 * rank)),
      );
    const shape = [6, 1, 100];
    const all = [0, 1].map((rank) => ({ x: values(rank), dy: values(rank), shape }));
    const expected = oracle(all, {
      channels: 1,
      channelsLast: false,
      eps: 1e-5,
      weight: [1],
      bias: [0],
    });
    const results = await sharedWorld(2).results<PassResult[]>('layer', (rank) => ({
      kind: 'SyncBatchNorm',
      numFeatures: 1,
      options: { momentum: 1, dtype: 'float32' },
      passes: [{ x: { values: values(rank), shape, dtype: 'float32' } }],
    }));
    for (const [rank, [pass]] of results.entries()) {
      expectClose(pass.y, expected.ranks[rank].y, 1e-6);
      const variance = expected.m2[0] / (expected.count - 1);
      expect(Math.abs(pass.state.runningVar[0] / variance - 1)).toBeLessThan(1e-6);
    }
  });
});
