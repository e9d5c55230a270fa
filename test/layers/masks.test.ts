import fc from 'fast-check';
import { init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Kind,
  LAYER_KINDS,
  noise,
  runLayer,
  runningOf,
  wholeWorld,
} from '../harness/layers.js';
import { expectClose, expectSame } from '../harness/numbers.js';
import { oracle, type Part } from '../harness/oracle.js';
import { closeSharedWorlds } from '../harness/world.js';
import type { PassResult } from '../ranks/run-layer.js';

beforeAll(() => init());
afterAll(release);
afterAll(closeSharedWorlds);

const WEIGHT = [1.5, -0.5, 0.25];
const BIAS = [0.5, 0, -1];
const MOMENTUM = { SyncBatchNorm: 0.25, GlobalBatchNorm: 0.75 };

interface Case {
  kind: Kind;
  size: number;
  dtype: 'float32' | 'float64';
  channelsLast: boolean;
  reproducible: boolean;
  awaited: boolean;
  zero: boolean;
  /** For each rank its samples and positions, and whether they count. */
  masks: { samples: number; plane: number; mask: number[] | null }[];
  seed: number;
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    kind: fc.constantFrom(...LAYER_KINDS),
    size: fc.constantFrom(2, 3),
    dtype: fc.constantFrom('float32' as const, 'float64' as const),
    channelsLast: fc.boolean(),
    reproducible: fc.boolean(),
    awaited: fc.boolean(),
    zero: fc.boolean(),
    seed: fc.nat(100),
  })
  .chain((c) =>
    fc
      .array(
        fc
          .record({ samples: fc.nat(5), plane: fc.constantFrom(1, 2, 5, 9), kind: fc.nat(3) })
          .chain(({ samples, plane, kind }) => {
            const length = samples * plane;
            const some = fc.array(fc.nat(1), { minLength: length, maxLength: length });
            const none = fc.constant(new Array<number>(length).fill(0));
            const mask = kind === 0 ? fc.constant(null) : kind === 1 ? none : some;
            return fc.record({ samples: fc.constant(samples), plane: fc.constant(plane), mask });
          }),
        { minLength: c.size, maxLength: c.size },
      )
      .map((masks) => ({ ...c, masks })),
  );

function partsOf(c: Case): Part[] {
  return c.masks.map(({ samples, plane, mask }, rank) => {
    const shape = c.channelsLast ? [samples, plane, 1, 3] : [samples, 3, plane, 1];
    const numbers = (seed: number, center: number) => noise(shape, c.seed + seed, center).values;
    return { x: numbers(rank, 4), dy: numbers(50 + rank, 0.2), shape, ...(mask && { mask }) };
  });
}

function run(c: Case, parts = partsOf(c)): Promise<PassResult[][]> {
  const { kind, dtype, channelsLast, reproducible, awaited, zero } = c;
  return runLayer(c.size, (rank) => {
    const { x, dy, shape, mask } = parts[rank];
    const names =
      kind === 'SyncBatchNorm' ? { weight: WEIGHT, bias: BIAS } : { gamma: WEIGHT, beta: BIAS };
    const numbers = (values: readonly number[]) => ({
      values: [...values],
      shape: [...shape],
      dtype,
    });
    return {
      kind,
      awaited,
      numFeatures: 3,
      options: {
        ...{ dtype, channelsLast, reproducible, momentum: MOMENTUM[kind] },
        ...wholeWorld(kind, c.size),
      },
      state: names,
      passes: [
        {
          x: numbers(x),
          dy: numbers(dy),
          train: true,
          ...(mask && { mask: [...mask] }),
          ...(zero && { maskedOutput: 'zero' }),
        },
      ],
    };
  });
}

function check(c: Case, results: PassResult[][]): void {
  const parts = partsOf(c);
  const { channelsLast, zero } = c;
  const wanted = { channels: 3, channelsLast, eps: 1e-5, weight: WEIGHT, bias: BIAS, zero };
  const expected = oracle(parts, wanted);
  const { count, mean, m2, invstd } = expected;
  if (count === 1) {
    for (const [{ error }] of results) expect(error?.message).toMatch(/got 1/);
    return;
  }
  const most = (c.dtype === 'float32' ? 2e-6 : 1e-11) * Math.max(1, ...invstd);
  results.forEach(([result], rank) => {
    const { y, dx, dweight, dbias } = expected.ranks[rank];
    expect(result.error).toBeUndefined();
    expectClose(result.y, y, most);
    expectClose(result.dx, dx, most * Math.max(1, ...invstd));
    expectClose(result.gradients![0]!, dweight, 30 * most);
    expectClose(result.gradients![1]!, dbias, 30 * most);
    const running = runningOf(result);
    const divisor = c.kind === 'SyncBatchNorm' ? count - 1 : count;
    const moved = (from: number, to: number) => (count === 0 ? from : 0.75 * from + 0.25 * to);
    expectClose(
      running.mean,
      mean.map((value) => moved(0, value)),
      most,
    );
    expectClose(
      running.variance,
      m2.map((value) => moved(1, value / divisor)),
      most,
    );
    const batches = result.state.numBatchesTracked;
    if (batches !== undefined) expect(batches).toEqual([count === 0 ? 0 : 1]);
  });
}

describe('masks', () => {
  it('give the statistics and gradients of what counts on all ranks', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (c) => {
        const counts = c.masks.map(
          ({ samples, plane, mask }) => mask ?? Array(samples * plane).fill(1),
        );
        // The forward call fails then, and a backward call that is started is left alone.
        const fails = counts.flat().filter((value) => value !== 0).length === 1;
        check(c, await run({ ...c, awaited: c.awaited && !fails }));
      }),
      { numRuns: 120, seed: 12 },
    );
  });

  it('that count everywhere give the results of none, to the bit with exact sums', async () => {
    for (const zero of [false, true]) {
      const c: Case = {
        ...{ kind: 'SyncBatchNorm', size: 2, dtype: 'float32', channelsLast: false, zero },
        ...{ reproducible: true, awaited: false, seed: 3 },
        masks: [4, 3].map((samples) => ({ samples, plane: 9, mask: null })),
      };
      const all = partsOf(c).map((part) => ({ ...part, mask: new Array<number>(36).fill(1) }));
      all[1].mask.length = 27;
      const [without, masked] = [await run(c), await run(c, all)];
      masked.forEach(([result], rank) => {
        const [want] = without[rank];
        expectSame(result.state.runningMean, want.state.runningMean);
        expectSame(result.state.runningVar, want.state.runningVar);
        expectClose(result.y, want.y!, 1e-6);
        expectClose(result.dx, want.dx!, 1e-6);
      });
    }
  });

  it('have the same bits for every split with exact sums', async () => {
    const samples = 6;
    const whole = noise([samples, 3, 5], 1, 30).values;
    const dy = noise([samples, 3, 5], 2).values;
    const mask = Array.from({ length: samples * 5 }, (_, i) => (i * 7) % 3);
    const states: number[][] = [];
    for (const split of [
      [6, 0],
      [1, 5],
      [4, 2],
      [3, 3],
      [2, 3, 1],
    ]) {
      const results = await runLayer(split.length, (rank) => {
        const from = split.slice(0, rank).reduce((a, b) => a + b, 0);
        const [shape, to] = [[split[rank], 3, 5], from + split[rank]];
        const part = (values: number[]) => values.slice(from * 15, to * 15);
        const numbers = (values: number[]) => ({
          values: part(values),
          shape,
          dtype: 'float32' as const,
        });
        return {
          kind: 'SyncBatchNorm',
          numFeatures: 3,
          options: { reproducible: true, groupGradients: true },
          passes: [{ x: numbers(whole), dy: numbers(dy), mask: mask.slice(from * 5, to * 5) }],
        };
      });
      const y = results.flatMap(([result]) => result.y!);
      const dx = results.flatMap(([result]) => result.dx!);
      for (const [{ gradients, state }] of results) {
        states.push([...y, ...dx, ...gradients!.flat().map(Number), ...state.runningVar]);
      }
    }
    for (const state of states) expectSame(state, states[0]);
  });

  it('count nothing in inference, where they can only put zeros', () => {
    const layer = new SyncBatchNorm(1, { eps: 0 }).setTrain(false);
    const x = Tensor.from([1, Number.NaN, 3], [3, 1]);
    const mask = Uint8Array.of(1, 0, 1);
    expect([...layer.forward(x, { mask }).data]).toEqual([1, Number.NaN, 3]);
    expect([...layer.forward(x, { mask, maskedOutput: 'zero' }).data]).toEqual([1, 0, 3]);
    expect([...layer.backward(x).data]).toEqual([1, 0, 3]);
    expect([...layer.bias.grad!.data]).toEqual([4]);
    expect([...layer.weight.grad!.data]).toEqual([10]);
  });

  it('are tensors of any type, or bytes, and are copied', () => {
    const x = Tensor.from(noise([2, 3, 4]).values, [2, 3, 4]);
    const bytes = Uint8Array.of(1, 0, 1, 1, 0, 9, 1, 0);
    const results = (['float32', 'float64', 'float16', 'bfloat16'] as const).map((dtype) => {
      const layer = new SyncBatchNorm(3);
      const mask = Tensor.from(Array.from(bytes), [2, 4], dtype);
      const y = layer.forward(x, { mask, maskedOutput: 'zero' });
      mask.data.fill(0);
      return [...y.data, ...layer.backward(x).data];
    });
    const layer = new SyncBatchNorm(3);
    const y = layer.forward(x, { mask: bytes, maskedOutput: 'zero' });
    bytes.fill(1);
    const want = [...y.data, ...layer.backward(x).data];
    for (const result of results) expectSame(result, want);
  });

  it.each([
    ['a list', [1, 0], TypeError, 'be a Tensor or a Uint8Array, got '],
    ['bytes of another number', new Uint8Array(5), RangeError, 'have 6 elements, got 5'],
    [
      "a tensor of the input's shape",
      Tensor.ones([2, 4, 3]),
      RangeError,
      'have shape (2, 3), got (2, 4, 3)',
    ],
  ])('are refused as %s', (_, mask, type, text) => {
    const layer = new SyncBatchNorm(4);
    const forward = () => layer.forward(Tensor.ones([2, 4, 3]), { mask: mask as Uint8Array });
    expect(forward).toThrow(type);
    expect(forward).toThrow(`${layer.label}: the mask of an input of shape (2, 4, 3) must ${text}`);
  });

  it('are refused with an unknown maskedOutput', () => {
    const layer = new SyncBatchNorm(4);
    const options = { mask: new Uint8Array(2), maskedOutput: 'zeros' as 'zero' };
    expect(() => layer.forward(Tensor.ones([2, 4]), options)).toThrow(
      `${layer.label}: maskedOutput must be one of normalize, zero, got 'zeros'`,
    );
  });

  it('that leave one value on all ranks are refused in training', () => {
    const layer = new SyncBatchNorm(1);
    const mask = Uint8Array.of(0, 1);
    expect(() => layer.forward(Tensor.ones([2, 1]), { mask })).toThrow(
      'training needs more than one value per channel over the group, got 1',
    );
  });
});
