/** What is assigned to a layer takes effect or throws, and so do options of its calls. */

import {
  createThreadWorld,
  GlobalBatchNorm,
  init,
  Parameter,
  release,
  SyncBatchNorm,
  Tensor,
} from 'syncbn';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';

beforeEach(() => init({ world: createThreadWorld(2)[0] }));
afterEach(release);

const x = Tensor.from([0, 2, 4, 6], [4, 1]);
const LAYERS = [
  ['SyncBatchNorm', () => new SyncBatchNorm(1).setTrain(false)],
  ['GlobalBatchNorm', () => new GlobalBatchNorm(1)],
] as const;

describe.each(LAYERS)('%s', (kind, make) => {
  it('takes another eps, and checks it', () => {
    const layer = make();
    layer.eps = 3;
    expect(layer.eps).toBe(3);
    expect([...layer.forward(x).data]).toEqual([0, 1, 2, 3]);
    expect(() => {
      layer.eps = -1;
    }).toThrow(new RangeError(`${kind}(1): eps must be finite and 0 or more, got -1`));
    expect(layer.eps).toBe(3);
  });

  it('takes another momentum, and checks it', () => {
    const layer = make();
    layer.momentum = 0.5;
    expect(layer.momentum).toBe(0.5);
    expect(() => {
      layer.momentum = 2;
    }).toThrow(new RangeError(`${kind}(1): momentum must be in [0, 1], got 2`));
  });

  const names = [
    ...['numFeatures', 'training', 'dtype', 'label', 'channelsLast', 'affine', 'skippedUpdates'],
    ...(kind === 'SyncBatchNorm'
      ? ['weight', 'bias', 'runningMean', 'runningVar', 'numBatchesTracked', 'trackRunningStats']
      : [
          'gamma',
          'beta',
          'movingMean',
          'movingVariance',
          'deviceNumEachGroup',
          'useBatchStatistics',
        ]),
    'processGroup',
  ];
  it.each(names)('refuses to have %s assigned', (name) => {
    const layer = make() as unknown as Record<string, unknown>;
    const before = layer[name];
    expect(before).toBeDefined();
    expect(() => {
      layer[name] = new Parameter('weight', Tensor.zeros([1]));
    }).toThrow(
      new TypeError(
        `${kind}(1): ${name} cannot be assigned; eps and momentum can, parameters and statistics ` +
          'take numbers by loadStateDict or in their data',
      ),
    );
    expect(layer[name]).toBe(before);
  });

  it.each<[string, object, string]>([
    ['forward', { output: x }, "unknown option 'output'; known are out, track"],
    ['forward', { track: 1 }, 'track must be true or false, got 1'],
    ['forward', null as never, 'options must be an object, got null'],
    ['backward', { accumulate: 1 }, 'accumulate must be true or false, got 1'],
    [
      'backward',
      { acumulate: true },
      "unknown option 'acumulate'; known are context, out, accumulate, addOut; did you mean 'accumulate'?",
    ],
    ['backward', { context: {} }, 'context must be that of a forward call, got Object'],
  ])('%s refuses the options %j', (call, options, message) => {
    const layer = make();
    layer.forward(x);
    const act = () => layer[call as 'forward'](x, options);
    expect(act).toThrow(TypeError);
    expect(act).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
  });
});

describe('affine', () => {
  it('may be a weight without a bias, and a bias without a weight', () => {
    const scaled = new SyncBatchNorm(1, { affine: { weight: true, bias: false } });
    const shifted = new SyncBatchNorm(1, { affine: { weight: false, bias: true } });
    expect(Object.keys(scaled.stateDict())[0]).toBe('weight');
    expect([scaled.bias, shifted.weight]).toEqual([null, null]);
    expect(scaled.parameters()).toEqual([scaled.weight]);
    scaled.weight.data.data.fill(2);
    shifted.bias.data.data.fill(5);
    for (const layer of [scaled, shifted]) layer.setTrain(false).eps = 0;
    expect([...scaled.forward(x).data]).toEqual([0, 4, 8, 12]);
    expect([...shifted.forward(x).data]).toEqual([5, 7, 9, 11]);
    const trained = new GlobalBatchNorm(1, { affine: { weight: false, bias: true } });
    expect(trained.parameters().map(({ name }) => name)).toEqual(['beta']);
    expect(() => new SyncBatchNorm(1, { affine: { weight: true } as never })).toThrow(
      new TypeError('SyncBatchNorm(1): affine.bias must be true or false, got undefined'),
    );
    expect(() => new SyncBatchNorm(1, { affine: { scale: true } as never })).toThrow(
      /affine: unknown option 'scale'; known are weight, bias/,
    );
  });

  it('and trackRunningStats are known to the types', () => {
    const usual = new SyncBatchNorm(1);
    expectTypeOf(usual.bias).toEqualTypeOf<Parameter>();
    expectTypeOf(usual.runningMean).toEqualTypeOf<Tensor>();
    const bare = new SyncBatchNorm(1, { affine: false, trackRunningStats: false });
    expectTypeOf(bare.weight).toEqualTypeOf<null>();
    expectTypeOf(bare.runningVar).toEqualTypeOf<null>();
    const scaled = new SyncBatchNorm(1, { affine: { weight: true, bias: false }, eps: 1 });
    expectTypeOf(scaled.weight).toEqualTypeOf<Parameter>();
    expectTypeOf(scaled.bias).toEqualTypeOf<null>();
    const either = new SyncBatchNorm(1, { affine: Boolean(usual.eps) });
    expectTypeOf(either.weight).toEqualTypeOf<Parameter | null>();
    expect([bare.weight, bare.runningVar, scaled.bias]).toEqual([null, null, null]);
  });
});

describe('names of parameters', () => {
  it('are their layer\u2019s and their own', () => {
    const named = new SyncBatchNorm(1, { name: 'block1.bn' });
    expect(named.parameters().map(({ name }) => name)).toEqual([
      'block1.bn.weight',
      'block1.bn.bias',
    ]);
    expect(new SyncBatchNorm(1).weight.name).toBe('weight');
    expect(new GlobalBatchNorm(1, { name: 'g' }).gamma.name).toBe('g.gamma');
  });
});
