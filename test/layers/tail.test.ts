import fc from 'fast-check';
import { type ForwardOptions, init, release, SyncBatchNorm, Tensor, type TensorData } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainKernels } from '../../src/kernels/plain.js';
import { createEngine } from '../../src/kernels/wasm/engine.js';
import { WasmKernels } from '../../src/kernels/wasm/kernels.js';
import { withKernels } from '../../src/ops/kernels.js';
import { type Kind, LAYER_KINDS, noise, runLayer, wholeWorld } from '../harness/layers.js';
import { expectClose, expectSame } from '../harness/numbers.js';
import { oracle, type Part } from '../harness/oracle.js';
import { closeSharedWorlds } from '../harness/world.js';
import type { Pass, PassResult } from '../ranks/run-layer.js';

beforeAll(() => init());
afterAll(release);
afterAll(closeSharedWorlds);

const WEIGHT = [1.5, -0.5, 0.25];
const BIAS = [0.5, 0.125, -1];
const MOST = { float32: 2e-6, float64: 1e-11, float16: 2e-3, bfloat16: 2e-2 };

interface Case {
  kind: Kind;
  size: number;
  dtype: keyof typeof MOST;
  channelsLast: boolean;
  reproducible: boolean;
  awaited: boolean;
  train: boolean;
  inPlace: boolean;
  hasAdd: boolean;
  activation: 'none' | 'relu';
  addOut: 'new' | 'dy';
  mask: 'none' | 'some' | 'zero';
  ranks: { samples: number; plane: number }[];
  seed: number;
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    kind: fc.constantFrom(...LAYER_KINDS),
    size: fc.constantFrom(2, 3),
    dtype: fc.constantFrom('float32' as const, 'float64', 'float16', 'bfloat16'),
    channelsLast: fc.boolean(),
    reproducible: fc.boolean(),
    awaited: fc.boolean(),
    train: fc.constantFrom(true, true, true, false),
    inPlace: fc.boolean(),
    hasAdd: fc.boolean(),
    activation: fc.constantFrom('none' as const, 'relu'),
    addOut: fc.constantFrom('new' as const, 'dy'),
    mask: fc.constantFrom('none' as const, 'none', 'some', 'zero'),
    seed: fc.nat(100),
  })
  .chain((c) => {
    const rank = fc.record({ samples: fc.nat(5), plane: fc.constantFrom(1, 2, 5, 9, 33) });
    return fc
      .array(rank, { minLength: c.size, maxLength: c.size })
      .map((ranks) => ({ ...c, ranks: [{ samples: 3, plane: 5 }, ...ranks.slice(1)] }));
  });

/** Numbers that every type holds. */
const eighths = (shape: readonly number[], seed: number, center: number) =>
  noise(shape, seed, center).values.map((value) => Math.round(8 * value) / 8);

function partsOf(c: Case): (Part & { add: number[] })[] {
  return c.ranks.map(({ samples, plane }, rank) => {
    const shape = c.channelsLast ? [samples, plane, 1, 3] : [samples, 3, plane, 1];
    const numbers = (seed: number, center: number) => eighths(shape, c.seed + seed, center);
    const mask = Array.from({ length: samples * plane }, (_, i) => ((i + rank) % 4 ? 1 : 0));
    return {
      ...{ x: numbers(rank, 4), dy: numbers(50 + rank, 0.25), shape },
      add: c.hasAdd ? numbers(90 + rank, 0.125) : [],
      ...(c.mask !== 'none' && { mask }),
    };
  });
}

function passOf(c: Case, { x, dy, shape, add, mask }: Part & { add: number[] }): Pass {
  const numbers = (values: readonly number[]) => ({
    ...{ values: [...values], shape: [...shape], dtype: c.dtype },
  });
  return {
    ...{ x: numbers(x), dy: numbers(dy), train: c.train, inPlace: c.inPlace },
    activation: c.activation,
    ...(c.hasAdd && { add: numbers(add), addOut: c.addOut }),
    ...(mask && { mask: [...mask] }),
    ...(c.mask === 'zero' && { maskedOutput: 'zero' }),
  };
}

function run(c: Case): Promise<PassResult[][]> {
  const { kind, dtype, channelsLast, reproducible, awaited } = c;
  const parts = partsOf(c);
  return runLayer(c.size, (rank) => ({
    ...{ kind, awaited, numFeatures: 3 },
    options: {
      ...{ dtype: dtype === 'float64' ? 'float64' : 'float32', channelsLast, reproducible },
      ...wholeWorld(kind, c.size),
    },
    state:
      kind === 'SyncBatchNorm' ? { weight: WEIGHT, bias: BIAS } : { gamma: WEIGHT, beta: BIAS },
    passes: [passOf(c, parts[rank])],
  }));
}

function check(c: Case, results: PassResult[][]): void {
  const expected = oracle(
    partsOf(c).map(({ add, ...part }) => ({ ...part, ...(c.hasAdd && { add }) })),
    {
      ...{ channels: 3, channelsLast: c.channelsLast, eps: 1e-5, weight: WEIGHT, bias: BIAS },
      ...{ zero: c.mask === 'zero', rectify: c.activation === 'relu' },
      ...(!c.train && { fixed: { mean: [0, 0, 0], variance: [1, 1, 1] } }),
    },
  );
  const steep = Math.max(1, ...expected.invstd);
  const most = MOST[c.dtype] * steep;
  results.forEach(([result], rank) => {
    const { y, dx, dadd, dweight, dbias } = expected.ranks[rank];
    expect(result.error).toBeUndefined();
    expectClose(result.y, y, most);
    expectClose(result.dx, dx, most * steep);
    if (c.hasAdd) expectSame(result.dadd!, dadd);
    expectClose(result.gradients![0]!, dweight, 30 * MOST.float32 * steep);
    expectClose(result.gradients![1]!, dbias, 30 * MOST.float32);
  });
}

describe('a layer with a tail', () => {
  it('has the outputs and gradients of float64 on all ranks', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (c) => check(c, await run(c))),
      { numRuns: 150, seed: 5 },
    );
  });

  it('has the same bits for every split with exact sums', async () => {
    const [samples, plane] = [6, 5];
    const shape = [samples, 3, plane];
    const [x, dy, add] = [1, 2, 3].map((seed) => noise(shape, seed, 0.5).values);
    const states: number[][] = [];
    for (const split of [
      [6, 0],
      [1, 5],
      [2, 3, 1],
    ]) {
      const results = await runLayer(split.length, (rank) => {
        const from = split.slice(0, rank).reduce((a, b) => a + b, 0);
        const part = (values: number[]) => ({
          values: values.slice(from * 15, (from + split[rank]) * 15),
          ...{ shape: [split[rank], 3, plane], dtype: 'float32' as const },
        });
        return {
          ...{ kind: 'SyncBatchNorm', numFeatures: 3 },
          options: { reproducible: true, groupGradients: true },
          passes: [
            {
              ...{ x: part(x), dy: part(dy), add: part(add) },
              ...{ activation: 'relu', addOut: 'new' },
            },
          ],
        };
      });
      const all = (key: 'y' | 'dx' | 'dadd') => results.flatMap(([result]) => result[key]!);
      for (const [{ gradients }] of results) {
        states.push([...all('y'), ...all('dx'), ...all('dadd'), ...gradients!.flat().map(Number)]);
      }
    }
    for (const state of states) expectSame(state, states[0]);
  });

  it('agrees on every kernels, channels of tiny and of huge deviations included', () => {
    const shape = [5, 3, 7];
    const scales = [1e-20, 1, 1e20];
    const x = Tensor.from(
      noise(shape, 1).values.map((value, i) => value * scales[Math.floor(i / 7) % 3]),
      shape,
    );
    const [add, dy] = [2, 3].map((seed) => Tensor.from(noise(shape, seed).values, shape));
    const kernels = [plainKernels, new WasmKernels(createEngine({ maxPages: 64 }))];
    const results = kernels.map((own) => {
      const layer = withKernels(own, () => new SyncBatchNorm(3, { eps: 0 }));
      const y = layer.forward(x, { add, activation: 'relu' });
      const addOut = Tensor.zeros(shape);
      const dx = layer.backward(dy, { addOut });
      const scaled = dx.data.map((value, i) => value * scales[Math.floor(i / 7) % 3]);
      return [...y.data, ...addOut.data, ...scaled];
    });
    expect(results[0].slice(0, 105).some((value) => value > 0)).toBe(true);
    expectClose(results[1], results[0], 2e-6);
  });
});

const SHAPE = [4, 2, 3];
const tensor = (seed: number) => Tensor.from(noise(SHAPE, seed).values, SHAPE);
const both = (): ForwardOptions => ({ add: tensor(2), activation: 'relu' });

/** y, dx and the gradient of add of a call, by what the outputs are told. */
function pass(
  options: ForwardOptions,
  outs: (dy: Tensor, x: Tensor, y: Tensor) => Parameters<SyncBatchNorm['backward']>[1],
): TensorData[] {
  const [layer, x, dy] = [new SyncBatchNorm(2), tensor(1), tensor(3)];
  const y = layer.forward(x, options);
  const values = y.data.slice();
  const to = outs(dy, x, y);
  const dx = layer.backward(dy, to);
  return [values, dx.data, ...(to?.addOut ? [to.addOut.data] : [])];
}

describe('outputs of a tail', () => {
  /** The same in three steps. */
  const expected = () => {
    const [layer, x, dy] = [new SyncBatchNorm(2), tensor(1), tensor(3)];
    const normalized = layer.forward(x);
    const added = tensor(2).data;
    const sum = Float32Array.from(normalized.data, (value, i) => Math.max(0, value + added[i]));
    const gradient = Tensor.from(
      Array.from(dy.data, (value, i) => (sum[i] > 0 ? value : 0)),
      SHAPE,
    );
    return [sum, layer.backward(gradient).data, gradient.data];
  };

  it('are those of three steps, wherever they go', () => {
    const [y, dx, dadd] = expected();
    const z = tensor(2);
    for (const [got, keepsAdd] of [
      [pass(both(), () => ({ addOut: Tensor.zeros(SHAPE) })), true],
      [pass({ ...both(), add: z, out: z }, () => ({ addOut: Tensor.zeros(SHAPE) })), true],
      [pass(both(), () => ({ addOut: null })), false],
      [pass(both(), (dy) => ({ addOut: dy })), true],
      [pass(both(), (dy) => ({ addOut: null, out: dy })), false],
      [pass(both(), (dy) => ({ addOut: Tensor.zeros(SHAPE), out: dy })), true],
      [pass(both(), (_, x) => ({ addOut: null, out: x })), false],
      [pass(both(), (dy, x) => ({ addOut: dy, out: x })), true],
      [pass(both(), (_dy, _x, own) => ({ addOut: own })), true],
      [pass(both(), (_dy, _x, own) => ({ addOut: Tensor.zeros(SHAPE), out: own })), true],
    ] as const) {
      expectClose(got[0], y, 1e-6);
      expectClose(got[1], dx, 2e-6);
      if (keepsAdd) expectSame(got[2], dadd);
    }
  });

  it('are copies of dy for what is added without an activation', () => {
    const options = { add: tensor(2) };
    const [, dx, dadd] = pass(options, () => ({ addOut: Tensor.zeros(SHAPE) }));
    expectSame(dadd, tensor(3).data);
    expectSame(pass(options, () => ({}))[1], dx);
    expectSame(pass(options, (dy) => ({ addOut: dy }))[1], dx);
    expectSame(pass({}, () => ({}))[1], dx);
  });

  it('are 0 where a mask puts zeros, whatever lies there', () => {
    const mask = Uint8Array.of(1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1);
    for (const activation of ['none', 'relu'] as const) {
      const [layer, x, dy, add] = [new SyncBatchNorm(2), tensor(1), tensor(3), tensor(2)];
      const hidden = [1, 4, 12, 15];
      for (const { data } of [x, dy, add]) for (const i of hidden) data[i] = Number.NaN;
      const options = { mask, maskedOutput: 'zero', add, activation } as const;
      const y = layer.forward(x, options);
      const addOut = Tensor.zeros(SHAPE);
      const dx = layer.backward(dy, { addOut });
      for (const { data } of [y, dx, addOut]) {
        expect([...data].map((value, i) => (hidden.includes(i) ? value : 0))).toEqual(
          new Array(24).fill(0),
        );
        expect(data.some(Number.isNaN)).toBe(false);
      }
    }
  });

  it('of inference may go over x, which leaves no way back', () => {
    const layer = new SyncBatchNorm(2).setTrain(false);
    const x = tensor(1);
    const y = layer.forward(x, { ...both(), out: x });
    expect(y).toBe(x);
    const wanted = Float32Array.from(tensor(1).data, (value, i) =>
      Math.max(0, value / Math.sqrt(1 + 1e-5) + tensor(2).data[i]),
    );
    expectClose(y.data, wanted, 1e-6);
    expect(() => layer.backward(tensor(3), { addOut: null })).toThrow('lies over its input');
  });
});
