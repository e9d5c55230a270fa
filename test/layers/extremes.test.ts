/** Deviations whose squares float32 does not hold, beside ordinary ones, against the oracle. */

import { allocateTensor, init, SyncBatchNorm, type SyncBatchNormOptions, Tensor } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise, partOf, runLayer } from '../harness/layers.js';
import { type OracleResult, oracle, type Part } from '../harness/oracle.js';
import { closeSharedWorlds } from '../harness/world.js';
import type { Numbers } from '../ranks/run-layer.js';

beforeAll(() => init());
afterAll(closeSharedWorlds);

/** A channel of each, around an ordinary one. Deviations are some twice as large. */
const SCALES = [1e-20, 1, 1e-25, 1e20, 1e-36, 1e-12, 1e37];
const CHANNELS = SCALES.length;

function shapeOf(samples: number, plane: number, channelsLast: boolean): number[] {
  return channelsLast ? [samples, plane, CHANNELS] : [samples, CHANNELS, plane];
}

/** The channel of each element. */
function channelsOf([samples, ...axes]: readonly number[], channelsLast: boolean): number[] {
  const plane = axes[channelsLast ? 0 : 1];
  return Array.from({ length: samples * CHANNELS * plane }, (_, i) =>
    channelsLast ? i % CHANNELS : Math.floor(i / plane) % CHANNELS,
  );
}

function partWith(shape: number[], channelsLast: boolean, seed: number): Part {
  const channels = channelsOf(shape, channelsLast);
  const x = noise(shape, seed).values.map((value, i) => Math.fround(value * SCALES[channels[i]]));
  return partOf({ ...noise(shape), values: x }, noise(shape, seed + 1, 0.4));
}

const oracleOf = (parts: readonly Part[], channelsLast: boolean, eps: number, fixed?: object) =>
  oracle(parts, {
    ...{ channels: CHANNELS, channelsLast, eps },
    weight: new Array<number>(CHANNELS).fill(1),
    bias: new Array<number>(CHANNELS).fill(0),
    ...(fixed as { fixed?: { mean: number[]; variance: number[] } }),
  });

/** Agreement to 1e-6 of the largest element of each channel, as far as float32 reaches. */
function expectChannels(
  actual: ArrayLike<number>,
  expected: readonly number[],
  channels: readonly number[],
): void {
  expect(actual.length).toBe(expected.length);
  const largest = SCALES.map((_, c) =>
    expected.reduce((most, e, i) => (channels[i] === c ? Math.max(most, Math.abs(e)) : most), 0),
  );
  const off = expected.findIndex((e, i) => {
    const held = Math.abs(e) > 3.4e38 ? Math.sign(e) * Number.POSITIVE_INFINITY : e;
    // The least that float32 tells apart, where all of a channel is smaller than its numbers.
    const tolerance = 1e-6 * largest[channels[i]] + 2e-45;
    return held !== actual[i] && !(Math.abs(actual[i] - e) <= tolerance);
  });
  expect({ off, actual: actual[off], expected: expected[off] }).toEqual({ off: -1 });
}

function expectPass(
  pass: { y: ArrayLike<number>; dx: ArrayLike<number>; gradients: readonly ArrayLike<number>[] },
  expected: OracleResult['ranks'][number],
  channels: readonly number[],
): void {
  expectChannels(pass.y, expected.y, channels);
  expectChannels(pass.dx, expected.dx, channels);
  const each = SCALES.map((_, c) => c);
  expectChannels(pass.gradients[0], expected.dweight, each);
  expectChannels(pass.gradients[1], expected.dbias, each);
}

describe.each<[string, SyncBatchNormOptions]>([
  ['eps 0', { eps: 0 }],
  ['the usual eps', {}],
  ['exact sums and eps 0', { eps: 0, reproducible: true }],
])('with %s', (_, options) => {
  const sizes = [
    [40, 1],
    [9, 4],
    [3, 40],
    [3, 300],
  ];
  it.each(sizes.flatMap(([n, plane]) => [false, true].map((last) => ({ n, plane, last }))))(
    'every channel is right, $n samples of $plane values, channels last: $last',
    ({ n, plane, last }) => {
      const shape = shapeOf(n, plane, last);
      const part = partWith(shape, last, 3);
      const [expected] = oracleOf([part], last, options.eps ?? 1e-5).ranks;
      const channels = channelsOf(shape, last);
      for (const make of [allocateTensor, Tensor.zeros]) {
        const [x, dy] = [part.x, part.dy].map((values) => {
          const tensor = make(shape);
          tensor.data.set(values);
          return tensor;
        });
        const layer = new SyncBatchNorm(CHANNELS, { ...options, channelsLast: last });
        const y = layer.forward(x);
        // Over dy itself, which the other stages still read.
        const dx = layer.backward(dy, { out: dy });
        const gradients = layer.parameters().map(({ grad }) => grad!.data);
        expectPass({ y: y.data, dx: dx.data, gradients }, expected, channels);
        expect(layer.skippedUpdates).toBe(1);
      }
    },
  );

  it('every channel is right on two ranks, one of which has few samples', async () => {
    const parts = [shapeOf(3, 40, false), [1, CHANNELS, 2]].map((shape, rank) =>
      partWith(shape, false, rank),
    );
    const expected = oracleOf(parts, false, options.eps ?? 1e-5);
    const results = await runLayer(2, (rank) => {
      const { x, dy, shape } = parts[rank];
      const tensor = (values: readonly number[]): Numbers => ({
        ...{ values: [...values], shape: [...shape], dtype: 'float32' },
      });
      const passes = [{ x: tensor(x), dy: tensor(dy) }];
      return { kind: 'SyncBatchNorm', numFeatures: CHANNELS, options, passes };
    });
    for (const [rank, [{ y, dx, gradients }]] of results.entries()) {
      const pass = { y: y!, dx: dx!, gradients: gradients as number[][] };
      expectPass(pass, expected.ranks[rank], channelsOf([...parts[rank].shape], false));
    }
  });
});

it('inference by running statistics of any size is right, over its own input', () => {
  const shape = shapeOf(3, 40, false);
  const part = partWith(shape, false, 5);
  const variance = SCALES.map((scale) => Math.fround(Math.min(scale, 1e18) ** 2));
  const layer = new SyncBatchNorm(CHANNELS, { eps: 1e-40 }).setTrain(false);
  layer.runningVar.data.set(variance);
  const fixed = { mean: SCALES.map(() => 0), variance: [...layer.runningVar.toFloats()] };
  const [expected] = oracleOf([part], false, 1e-40, { fixed }).ranks;
  const channels = channelsOf(shape, false);
  layer.forward(Tensor.from(part.x, shape));
  const dx = layer.backward(Tensor.from(part.dy, shape));
  expectChannels(dx.data, expected.dx, channels);
  const x = Tensor.from(part.x, shape);
  expectChannels(layer.forward(x, { out: x }).data, expected.y, channels);
});

it('float64 is right down to deviations of 1e-140 and up to 1e150', () => {
  const scales = [1e-140, 1, 1e150];
  const values = noise([40, 3], 1).values.map((value, i) => value * scales[i % 3]);
  const dy = noise([40, 3], 2, 0.4);
  const part: Part = { x: values, dy: dy.values, shape: [40, 3] };
  const layer = new SyncBatchNorm(3, { eps: 0, dtype: 'float64' });
  const y = layer.forward(Tensor.from(values, [40, 3], 'float64'));
  const dx = layer.backward(Tensor.from(dy.values, [40, 3], 'float64'));
  const [expected] = oracle([part], {
    ...{ channels: 3, channelsLast: false, eps: 0, weight: [1, 1, 1], bias: [0, 0, 0] },
  }).ranks;
  scales.forEach((_, c) => {
    const of = (list: ArrayLike<number>) => Array.from(list).filter((_, i) => i % 3 === c);
    const largest = Math.max(...of(expected.dx).map(Math.abs));
    of(expected.dx).forEach((e, i) => {
      expect(Math.abs(of(dx.data)[i] - e) / largest).toBeLessThan(1e-12);
      expect(Math.abs(of(y.data)[i] - of(expected.y)[i])).toBeLessThan(1e-12);
    });
  });
});
