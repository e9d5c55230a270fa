import {
  createGroup,
  createThreadWorld,
  GlobalBatchNorm,
  type GlobalBatchNormOptions,
  init,
  ProcessGroup,
  release,
  SyncBatchNorm,
  type SyncBatchNormOptions,
  Tensor,
} from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Rank 1 of a world of four, of which only this one is there: nothing here may communicate.
beforeAll(() => init({ world: createThreadWorld(4)[1] }));
afterAll(release);

type Options = Record<string, unknown>;
type Case = [Options, new () => Error, string];

const make = {
  SyncBatchNorm: (n: unknown, options?: unknown) =>
    new SyncBatchNorm(n as number, options as SyncBatchNormOptions),
  GlobalBatchNorm: (n: unknown, options?: unknown) =>
    new GlobalBatchNorm(n as number, options as GlobalBatchNormOptions),
};
const KINDS = ['SyncBatchNorm', 'GlobalBatchNorm'] as const;

function expectRefusal(act: () => unknown, kind: new () => Error, message: string): void {
  expect(act).toThrow(kind);
  expect(act).toThrow(expect.objectContaining({ message }));
}

const COMMON: Case[] = [
  [{ eps: '1e-5' }, TypeError, "eps must be a number, got '1e-5'"],
  [{ eps: null }, TypeError, 'eps must be a number, got null'],
  [{ eps: -1e-9 }, RangeError, 'eps must be finite and 0 or more, got -1e-9'],
  [{ eps: Number.NaN }, RangeError, 'eps must be finite and 0 or more, got NaN'],
  [{ eps: Infinity }, RangeError, 'eps must be finite and 0 or more, got Infinity'],
  [{ momentum: -0.1 }, RangeError, 'momentum must be in [0, 1], got -0.1'],
  [{ momentum: 1.5 }, RangeError, 'momentum must be in [0, 1], got 1.5'],
  [{ momentum: Number.NaN }, RangeError, 'momentum must be in [0, 1], got NaN'],
  [{ momentum: '0.1' }, TypeError, "momentum must be a number, got '0.1'"],
  [{ momentum: [0.1] }, TypeError, 'momentum must be a number, got Array'],
  [{ affine: 1 }, TypeError, 'affine must be true or false, got 1'],
  [{ affine: null }, TypeError, 'affine must be true or false, got null'],
  [
    { dtype: 'int8' },
    RangeError,
    "dtype must be one of float32, float64, float16, bfloat16, got 'int8'",
  ],
  [{ dtype: 32 }, RangeError, 'dtype must be one of float32, float64, float16, bfloat16, got 32'],
  [{ channelsLast: 'yes' }, TypeError, "channelsLast must be true or false, got 'yes'"],
  [{ reproducible: 0 }, TypeError, 'reproducible must be true or false, got 0'],
  [
    { onNonFinite: 'ignore' },
    RangeError,
    "onNonFinite must be one of skip, propagate, throw, got 'ignore'",
  ],
];

describe.each(KINDS)('%s', (kind) => {
  it.each(COMMON)('refuses %j', (options, error, message) => {
    expectRefusal(() => make[kind](8, options), error, `${kind}(8): ${message}`);
  });

  it.each<[unknown, new () => Error, string]>([
    [0, RangeError, `${kind}(0): numFeatures must be 1 or more, got 0`],
    [-3, RangeError, `${kind}(-3): numFeatures must be 1 or more, got -3`],
    [2.5, TypeError, `${kind}(2.5): numFeatures must be an integer, got 2.5`],
    ['8', TypeError, `${kind}('8'): numFeatures must be an integer, got '8'`],
    [undefined, TypeError, `${kind}(undefined): numFeatures must be an integer, got undefined`],
    [Number.NaN, TypeError, `${kind}(NaN): numFeatures must be an integer, got NaN`],
  ])('refuses %s channels', (channels, error, message) => {
    expectRefusal(() => make[kind](channels), error, message);
  });

  it('refuses options that it does not know, and names those that it knows', () => {
    const act = () => make[kind](8, { epsilon: 1 });
    expect(act).toThrow(TypeError);
    expect(act).toThrow(
      new RegExp(
        `^${kind}\\(8\\): unknown option 'epsilon'; known are eps, dtype, .*momentum.* name`,
      ),
    );
    const other = kind === 'SyncBatchNorm' ? 'gammaInit' : 'processGroup';
    expect(() => make[kind](8, { [other]: null })).toThrow(`unknown option '${other}'`);
  });

  it.each([
    [null, 'null'],
    [5, '5'],
    ['eps', "'eps'"],
  ])('refuses %j for options', (options, got) => {
    expectRefusal(
      () => make[kind](8, options),
      TypeError,
      `${kind}(8): options must be an object, got ${got}`,
    );
  });

  it('is called by its name in errors', () => {
    expectRefusal(
      () => make[kind](8, { name: 'bn2', eps: -1 }),
      RangeError,
      `${kind} 'bn2': eps must be finite and 0 or more, got -1`,
    );
    expectRefusal(
      () => make[kind](8, { name: 7 }),
      TypeError,
      `${kind}: name must be a string, got 7`,
    );
  });
});

describe('SyncBatchNorm', () => {
  it.each<Case>([
    [{ trackRunningStats: 'no' }, TypeError, "trackRunningStats must be true or false, got 'no'"],
    [{ trackRunningStats: null }, TypeError, 'trackRunningStats must be true or false, got null'],
    [{ groupGradients: true }, RangeError, 'groupGradients needs reproducible: true, got false'],
    [{ processGroup: 'nobody' }, RangeError, "unknown group 'nobody'; this rank knows world"],
    [{ processGroup: 3 }, TypeError, 'a group is a name or a ProcessGroup, got 3'],
    [{ processGroup: [0, 1] }, TypeError, 'a group is a name or a ProcessGroup, got Array'],
  ])('refuses %j', (options, error, message) => {
    expectRefusal(() => make.SyncBatchNorm(8, options), error, `SyncBatchNorm(8): ${message}`);
  });

  it('refuses groups of another world', () => {
    const processGroup = new ProcessGroup('far', [0, 9], -1, null, 1);
    expect(() => new SyncBatchNorm(8, { processGroup })).toThrow(RangeError);
    expect(() => new SyncBatchNorm(8, { processGroup })).toThrow(/unknown group 'far'/);
    expect(() => createGroup('far', [0, 9])).toThrow(/rank 9 is not in the world/);
  });

  it('is defined as its page says', () => {
    const layer = new SyncBatchNorm(3);
    expect(layer).toMatchObject({
      numFeatures: 3,
      eps: 1e-5,
      momentum: 0.1,
      affine: true,
      trackRunningStats: true,
      dtype: 'float32',
      training: true,
      channelsLast: false,
    });
    expect(layer.processGroup.name).toBe('world');
    const parts = [layer.weight?.data, layer.bias?.data, layer.runningMean, layer.runningVar];
    expect(parts.map((tensor) => [...tensor!.toFloats()])).toEqual([
      [1, 1, 1],
      [0, 0, 0],
      [0, 0, 0],
      [1, 1, 1],
    ]);
    expect(layer.numBatchesTracked?.data[0]).toBe(0);
    expect(layer.parameters()).toEqual([layer.weight, layer.bias]);
  });

  it('keeps parameters of the 16-bit types in float32', () => {
    for (const dtype of ['float16', 'bfloat16'] as const) {
      expect(new SyncBatchNorm(1, { dtype }).weight?.data.dtype).toBe('float32');
    }
    expect(new SyncBatchNorm(1, { dtype: 'float64' }).runningVar?.dtype).toBe('float64');
  });
});

describe('GlobalBatchNorm', () => {
  it.each<Case>([
    [{ momentum: null }, TypeError, 'momentum must be a number, got null'],
    [{ deviceNumEachGroup: 1 }, RangeError, 'deviceNumEachGroup must be 2 or more, got 1'],
    [
      { deviceNumEachGroup: 8 },
      RangeError,
      "deviceNumEachGroup must divide the world's 4 ranks, got 8",
    ],
    [
      { deviceNumEachGroup: 3 },
      RangeError,
      "deviceNumEachGroup must divide the world's 4 ranks, got 3",
    ],
    [{ deviceNumEachGroup: 2.5 }, TypeError, 'deviceNumEachGroup must be an integer, got 2.5'],
    [{ deviceNumEachGroup: '2' }, TypeError, "deviceNumEachGroup must be an integer, got '2'"],
    [
      { useBatchStatistics: 'auto' },
      TypeError,
      "useBatchStatistics must be true or false, got 'auto'",
    ],
    [
      { gammaInit: 'Ones' },
      RangeError,
      "gammaInit: unknown initializer 'Ones'; known are zeros, ones, normal, uniform, truncated_normal, xavier_uniform, xavier_normal, he_uniform, he_normal; did you mean 'ones'?",
    ],
    [
      { betaInit: true },
      TypeError,
      'betaInit must be a number, a Tensor, an Initializer or its name',
    ],
    [
      { movingMeanInit: [0, 0] },
      TypeError,
      'movingMeanInit must be a number, a Tensor, an Initializer or its name',
    ],
    [
      { movingVarInit: null },
      TypeError,
      'movingVarInit must be a number, a Tensor, an Initializer or its name',
    ],
    [{ gammaInit: Tensor.ones([3]) }, RangeError, 'gammaInit must have shape (8,), got (3,)'],
  ])('refuses %o', (options, error, message) => {
    expectRefusal(() => make.GlobalBatchNorm(8, options), error, `GlobalBatchNorm(8): ${message}`);
  });

  it('is defined as its page says', () => {
    const layer = new GlobalBatchNorm(3);
    expect(layer).toMatchObject({
      numFeatures: 3,
      deviceNumEachGroup: 2,
      eps: 1e-5,
      momentum: 0.9,
      affine: true,
      useBatchStatistics: null,
      training: false,
    });
    expect(layer.processGroup.ranks).toEqual([0, 1]);
    const parts = [layer.gamma.data, layer.beta.data, layer.movingMean, layer.movingVariance];
    expect(parts.map((tensor) => [...tensor.toFloats()])).toEqual([
      [1, 1, 1],
      [0, 0, 0],
      [0, 0, 0],
      [1, 1, 1],
    ]);
    expect(layer.parameters()).toEqual([layer.gamma, layer.beta]);
  });

  it('cannot be made in a world of one, nor before init', async () => {
    release();
    expect(() => make.GlobalBatchNorm(8)).toThrow(
      'GlobalBatchNorm(8): there is no world yet; call init() first, and await it',
    );
    await init();
    expectRefusal(
      () => make.GlobalBatchNorm(8),
      RangeError,
      "GlobalBatchNorm(8): deviceNumEachGroup must divide the world's 1 ranks, got 2",
    );
    release();
    await init({ world: createThreadWorld(4)[1] });
  });
});
