import {
  createThreadWorld,
  GlobalBatchNorm,
  Initializer,
  type InitializerName,
  init,
  initializers,
  release,
  Tensor,
} from 'syncbn';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { noise, runLayer } from '../harness/layers.js';
import { closeSharedWorlds } from '../harness/world.js';

afterAll(closeSharedWorlds);
afterEach(release);

const N = 40_000;
const meanOf = (values: Float64Array) => values.reduce((sum, v) => sum + v, 0) / values.length;
const deviationOf = (values: Float64Array) => {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((v) => (v - mean) ** 2)));
};
const largest = (values: Float64Array) => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
/** Deviation of U(-bound, bound). */
const flat = (bound: number) => bound / Math.sqrt(3);

/** Deviations that the formulas give for shape (C) = (N), where fan_in = fan_out = C. */
const seed = 7;
const RANDOM: [string, Initializer, deviation: number, bound: number, mean: number][] = [
  ['normal', initializers.normal({ seed }), 0.01, Infinity, 0],
  ['normal', initializers.normal({ seed, sigma: 2, mean: 5 }), 2, Infinity, 5],
  ['uniform', initializers.uniform({ seed }), flat(0.07), 0.07, 0],
  ['uniform', initializers.uniform({ seed, scale: 3 }), flat(3), 3, 0],
  ['truncated_normal', initializers.truncated_normal({ seed }), 0.01 * 0.8796, 0.02, 0],
  [
    'truncated_normal',
    initializers.truncated_normal({ seed, sigma: 1, a: -1, b: 1 }),
    0.5396,
    1,
    0,
  ],
  ['xavier_uniform', initializers.xavier_uniform({ seed }), 1 / Math.sqrt(N), Math.sqrt(3 / N), 0],
  [
    'xavier_uniform',
    initializers.xavier_uniform({ seed, gain: 3 }),
    3 / Math.sqrt(N),
    3 * Math.sqrt(3 / N),
    0,
  ],
  ['xavier_normal', initializers.xavier_normal({ seed }), 1 / Math.sqrt(N), Infinity, 0],
  ['he_uniform', initializers.he_uniform({ seed }), Math.sqrt(2 / N), Math.sqrt(6 / N), 0],
  [
    'he_uniform',
    initializers.he_uniform({ seed, negativeSlope: 1 }),
    Math.sqrt(1 / N),
    Math.sqrt(3 / N),
    0,
  ],
  ['he_normal', initializers.he_normal({ seed }), Math.sqrt(2 / N), Infinity, 0],
  ['he_normal', initializers.he_normal({ seed, mode: 'fan_out' }), Math.sqrt(2 / N), Infinity, 0],
];

describe('random initializers', () => {
  it.each(RANDOM)(
    '%s (case %#) has the spread of its formula for shape (C)',
    (name, initializer, deviation, bound, mean) => {
      const values = initializer.values([N]);
      expect(initializer).toMatchObject({ name, isRandom: true, seed });
      expect(String(initializer)).toBe(`Initializer(${name})`);
      expect(Math.abs(deviationOf(values) / deviation - 1)).toBeLessThan(0.02);
      expect(Math.abs(meanOf(values) - mean)).toBeLessThan(0.03 * deviation);
      expect(largest(values)).toBeLessThanOrEqual(bound);
      if (bound < Infinity) expect(largest(values)).toBeGreaterThan(0.98 * bound);
    },
  );

  it.each(RANDOM)('%s (case %#) gives the same values for the same seed', (_, initializer) => {
    expect(initializer.values([5])).toEqual(initializer.values([5]));
  });

  it('give other values for another seed, and each time without one', () => {
    const first = initializers.normal({ seed: 1 }).values([4]);
    expect(initializers.normal({ seed: 2 }).values([4])).not.toEqual(first);
    const unseeded = initializers.uniform();
    expect(unseeded.seed).toBeUndefined();
    expect(unseeded.values([4])).not.toEqual(unseeded.values([4]));
  });

  it('count fans of (out, in, field) for more axes', () => {
    const deviation = (initializer: Initializer) =>
      deviationOf(initializer.values([20, 50, 4, 10]));
    const near = (a: number, b: number) => expect(Math.abs(a / b - 1)).toBeLessThan(0.02);
    near(deviation(initializers.he_normal({ seed })), Math.sqrt(2 / (50 * 40)));
    near(deviation(initializers.he_normal({ seed, mode: 'fan_out' })), Math.sqrt(2 / (20 * 40)));
    near(deviation(initializers.xavier_normal({ seed })), Math.sqrt(2 / (70 * 40)));
    expect(() => initializers.he_normal().values([])).toThrow(
      new RangeError('initializer he_normal: fans need at least one axis, got ()'),
    );
  });

  it.each([
    [50, 60, 50.02],
    [-60, -50, -50.02],
    [1e6, Infinity, 1e6],
    [3, 3.001, 3.0005],
    [-0.001, 0.001, 0],
    [-Infinity, 0, -0.798],
    [2, 9, 2.373],
  ])('draw from [%d, %d], however few a normal distribution has there', (a, b, mean) => {
    const values = initializers.truncated_normal({ seed, sigma: 1, a, b }).values([N]);
    for (const value of values) if (!(value >= a && value <= b)) expect(value).toBe(`${a}, ${b}`);
    expect(Math.abs(meanOf(values) - mean)).toBeLessThan(0.01 * Math.max(Math.abs(mean), 0.01));
  });

  it.each<[() => unknown, Error]>([
    [
      () => initializers.normal({ sigma: 'a' as never }),
      new TypeError("initializer normal: sigma must be a number, got 'a'"),
    ],
    [
      () => initializers.normal({ sigma: -1 }),
      new RangeError('initializer normal: sigma must be finite and 0 or more, got -1'),
    ],
    [
      () => initializers.uniform({ scale: Number.NaN }),
      new RangeError('initializer uniform: scale must be finite, got NaN'),
    ],
    [
      () => initializers.xavier_uniform({ gian: 2 } as never),
      new TypeError(
        "initializer xavier_uniform: unknown option 'gian'; known are seed, gain; did you mean 'gain'?",
      ),
    ],
    [
      () => initializers.he_normal({ mode: 'fan' as never }),
      new RangeError("initializer he_normal: mode must be one of fan_in, fan_out, got 'fan'"),
    ],
    [
      () => initializers.constant('1' as never),
      new TypeError("initializer constant: the value must be a number, got '1'"),
    ],
    [
      () => initializers.zeros().values([2, -1]),
      new RangeError('initializer constant: sizes are integers of 0 and more, got [2, -1]'),
    ],
  ])('refuse options that are not there or wrong (case %#)', (act, error) => {
    expect(act).toThrow(error);
  });

  it('refuse seeds that are not integers, and empty ranges', () => {
    expect(() => initializers.normal({ seed: 0.5 })).toThrow(
      new TypeError('initializer normal: the seed must be an integer, got 0.5'),
    );
    expect(() => initializers.he_uniform({ seed: '1' as never })).toThrow(TypeError);
    expect(() => initializers.truncated_normal({ a: 1, b: 1 })).toThrow(
      new RangeError('initializer truncated_normal: a must be below b, got 1 and 1'),
    );
  });
});

describe('initial values of GlobalBatchNorm', () => {
  const make = async (options: object) => {
    await init({ world: createThreadWorld(2)[0] });
    const layer = new GlobalBatchNorm(3, options);
    return [layer.gamma.data, layer.beta.data, layer.movingMean, layer.movingVariance];
  };
  const values = (tensors: Tensor[]) => tensors.map((t) => [...t.toFloats()]);

  it('may be numbers, tensors, initializers and names', async () => {
    const given = Tensor.from([1, 2, 3], [3], 'float16');
    const custom = new Initializer('counting', (out) => out.set([10, 11, 12]));
    const tensors = await make({
      gammaInit: 0.1,
      betaInit: given,
      movingMeanInit: custom,
      movingVarInit: 'zeros',
    });
    const tenth = Math.fround(0.1);
    expect(values(tensors)).toEqual([
      [tenth, tenth, tenth],
      [1, 2, 3],
      [10, 11, 12],
      [0, 0, 0],
    ]);
    expect(tensors.every(({ dtype }) => dtype === 'float32')).toBe(true);
    tensors[1].data[0] = 9;
    expect(given.toFloats()[0]).toBe(1);
  });

  it('know MindSpore’s names for constants', async () => {
    const tensors = await make({
      gammaInit: 'zero',
      betaInit: 'one',
      movingMeanInit: initializers.constant(4),
      movingVarInit: initializers.zeros(),
    });
    expect(values(tensors).map(([first]) => first)).toEqual([0, 1, 4, 0]);
  });

  const names: InitializerName[] = [
    'normal',
    'uniform',
    'truncated_normal',
    'xavier_uniform',
    'xavier_normal',
    'he_uniform',
    'he_normal',
  ];

  it.each(names)('drawn by %s are those of rank 0 everywhere', async (name) => {
    const results = await runLayer(4, () => ({
      kind: 'GlobalBatchNorm',
      numFeatures: 8,
      options: { gammaInit: name, movingVarInit: name },
      passes: [{ x: noise([0, 8]) }],
    }));
    const [first] = results[0];
    expect(new Set(first.state.gamma).size).toBe(8);
    expect(first.state.gamma).not.toEqual(first.state.movingVariance);
    for (const [pass] of results) expect(pass.state).toEqual(first.state);
  });
});
