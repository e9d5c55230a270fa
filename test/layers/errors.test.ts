import {
  createGroup,
  createThreadWorld,
  type DType,
  GlobalBatchNorm,
  init,
  release,
  SyncBatchNorm,
  Tensor,
} from 'syncbn';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { LayerScript, Numbers, Pass, PassResult } from '../ranks/run-layer.js';

afterAll(closeSharedWorlds);
afterEach(release);

type Layer = SyncBatchNorm | GlobalBatchNorm;

/** Both layers in inference, where the test's thread alone can call them. */
const LAYERS: [string, () => Layer][] = [
  ['SyncBatchNorm', () => new SyncBatchNorm(2).setTrain(false)],
  ['GlobalBatchNorm', () => new GlobalBatchNorm(2)],
];

describe.each(LAYERS)('%s', (kind, make) => {
  beforeEach(() => init({ world: createThreadWorld(2)[0] }));

  it.each<[string, unknown, new () => Error, string]>([
    ['a list', [[1, 2]], TypeError, 'the input must be a Tensor, got Array'],
    ['nothing', undefined, TypeError, 'the input must be a Tensor, got undefined'],
    ['a number', Tensor.zeros([]), RangeError, 'expected an input with {} axes, got shape ()'],
    ['one axis', Tensor.zeros([2]), RangeError, 'expected an input with {} axes, got shape (2,)'],
    [
      'other channels',
      Tensor.zeros([4, 3]),
      RangeError,
      'expected 2 channels on axis 1, got 3 in shape (4, 3)',
    ],
    [
      'no channels',
      Tensor.zeros([4, 0]),
      RangeError,
      'expected 2 channels on axis 1, got 0 in shape (4, 0)',
    ],
    [
      'float64',
      Tensor.zeros([4, 2], 'float64'),
      RangeError,
      'expected an input of float32, float16 or bfloat16, got float64',
    ],
  ])('refuses an input of %s', (_, x, error, message) => {
    const axes = kind === 'SyncBatchNorm' ? '2 or more' : '2 or 4';
    const act = () => make().forward(x as Tensor);
    expect(act).toThrow(error);
    expect(act).toThrow(
      expect.objectContaining({ message: `${kind}(2): ${message.replace('{}', axes)}` }),
    );
  });

  it.each<[string, unknown, new () => Error, string]>([
    ['a list', [0, 0], TypeError, 'out must be a Tensor, got Array'],
    ['null', null, TypeError, 'out must be a Tensor, got null'],
    [
      'another shape',
      Tensor.zeros([2, 1]),
      RangeError,
      'out must have shape (1, 2) and dtype float32, got shape (2, 1) and dtype float32',
    ],
    [
      'another type',
      Tensor.zeros([1, 2], 'float16'),
      RangeError,
      'out must have shape (1, 2) and dtype float32, got shape (1, 2) and dtype float16',
    ],
  ])('refuses %s for out, forward and backward', (_, out, error, message) => {
    const layer = make();
    const x = Tensor.zeros([1, 2]);
    const full = expect.objectContaining({ message: `${kind}(2): ${message}` });
    expect(() => layer.forward(x, { out: out as Tensor })).toThrow(error);
    expect(() => layer.forward(x, { out: out as Tensor })).toThrow(full);
    layer.forward(x);
    expect(() => layer.backward(x, { out: out as Tensor })).toThrow(error);
    expect(() => layer.backward(x, { out: out as Tensor })).toThrow(full);
  });

  it('refuses a gradient that does not belong to a forward call', () => {
    const layer = make();
    const error = (message: string) =>
      expect.objectContaining({ message: `${kind}(2): ${message}` });
    const dy = Tensor.zeros([1, 2]);
    expect(() => layer.backward(dy)).toThrow(error('backward needs a forward call before it'));
    layer.forward(Tensor.zeros([1, 2]));
    expect(() => layer.backward([0, 0] as never)).toThrow(
      error('the gradient must be a Tensor, got Array'),
    );
    expect(() => layer.backward(Tensor.zeros([2, 2]))).toThrow(
      error(
        'expected the gradient of an output of shape (1, 2) and dtype float32, got shape (2, 2) and dtype float32',
      ),
    );
    expect(() => layer.backward(Tensor.zeros([1, 2], 'bfloat16'))).toThrow(
      error(
        'expected the gradient of an output of shape (1, 2) and dtype float32, got shape (1, 2) and dtype bfloat16',
      ),
    );
    // None of them has used the forward call.
    layer.backward(dy);
    expect(() => layer.backward(dy)).toThrow(
      error('backward has used this forward call already, or its output lies over its input'),
    );
  });

  it('refuses a mode that is neither true nor false', () => {
    expect(() => make().setTrain('train' as never)).toThrow(
      new TypeError(`${kind}(2): setTrain takes true or false, got 'train'`),
    );
  });

  it.each(['float32', 'float16', 'bfloat16'] as DType[])('takes %s', (dtype) => {
    expect(make().forward(Tensor.ones([1, 2], dtype)).dtype).toBe(dtype);
  });
});

describe('axes', () => {
  beforeEach(() => init({ world: createThreadWorld(2)[0] }));

  it.each([1, 2, 3, 4, 5, 6])(
    '%i: any number from 2 for SyncBatchNorm, 2 or 4 for GlobalBatchNorm',
    (axes) => {
      const x = Tensor.ones([3, 2, 1, 1, 1, 1].slice(0, axes));
      const [sync, global] = LAYERS.map(
        ([, make]) =>
          () =>
            make().forward(x),
      );
      if (axes >= 2) expect(sync().shape).toEqual(x.shape);
      else expect(sync).toThrow(/2 or more axes/);
      if (axes === 2 || axes === 4) expect(global().shape).toEqual(x.shape);
      else expect(global).toThrow(/with 2 or 4 axes/);
    },
  );

  it('name the last one where channels are there', () => {
    const layer = new SyncBatchNorm(2, { channelsLast: true }).setTrain(false);
    expect(layer.forward(Tensor.ones([5, 3, 2])).shape).toEqual([5, 3, 2]);
    expect(() => layer.forward(Tensor.ones([5, 2, 3]))).toThrow(
      new RangeError(
        'SyncBatchNorm(2): expected 2 channels on the last axis, got 3 in shape (5, 2, 3)',
      ),
    );
  });
});

describe('a layer of a group', () => {
  it('that this rank is not in can only be used in inference', async () => {
    await init({ world: createThreadWorld(3)[0] });
    for (const ranks of [[1, 2], [1]]) {
      const processGroup = createGroup(`others ${ranks.length}`, ranks);
      const layer = new SyncBatchNorm(2, { processGroup });
      expect(() => layer.forward(Tensor.ones([4, 2]))).toThrow(
        new RangeError(
          `SyncBatchNorm(2): this rank is not in group 'others ${ranks.length}' (ranks ${ranks.join(', ')})`,
        ),
      );
      expect(layer.setTrain(false).forward(Tensor.zeros([4, 2])).shape).toEqual([4, 2]);
    }
  });

  it('of the world needs init to train, and none for inference', () => {
    const layer = new SyncBatchNorm(1);
    expect(() => layer.forward(Tensor.ones([4, 1]))).toThrow(
      new Error('SyncBatchNorm(1): there is no world yet; call init() first, and await it'),
    );
    expect(layer.setTrain(false).forward(Tensor.zeros([1, 1])).data[0]).toBe(0);
  });
});

const tensor = (shape: number[], base = 0): Numbers => ({
  values: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => base + ((i * 7) % 5)),
  shape,
  dtype: 'float32',
});

describe.each(['SyncBatchNorm', 'GlobalBatchNorm'] as const)(
  'an error of one rank in %s',
  (kind) => {
    const [good, wrong] = [tensor([3, 2]), tensor([3, 5])];
    const right: Pass = { x: good, dy: good, train: true };
    const cases: [string, Pass, string][] = [
      [
        'the input',
        { ...right, x: wrong },
        'RangeError: {}: expected 2 channels on axis 1, got 5 in shape (3, 5) (in forward)',
      ],
      [
        'the input’s type',
        { ...right, x: { ...good, dtype: 'float64' } },
        'RangeError: {}: expected an input of float32, float16 or bfloat16, got float64 (in forward)',
      ],
      [
        'a disposed input',
        { ...right, disposed: 'x' },
        'Error: Tensor: this tensor of shape (3, 2) was disposed (in forward)',
      ],
      [
        'a disposed gradient',
        { ...right, disposed: 'dy' },
        'Error: Tensor: this tensor of shape (3, 2) was disposed (in backward)',
      ],
      [
        'the gradient',
        { ...right, dy: wrong },
        'RangeError: {}: expected the gradient of an output of shape (3, 2) and dtype float32, got shape (3, 5) and dtype float32 (in backward)',
      ],
    ];

    it.each(cases)(
      'over %s fails all ranks, by name, and the next pass succeeds',
      async (_, bad, text) => {
        const script = (rank: number): LayerScript => ({
          kind,
          numFeatures: 2,
          options: { name: 'bn7', ...(kind === 'GlobalBatchNorm' && { deviceNumEachGroup: 4 }) },
          passes: [rank === 2 ? bad : right, right],
        });
        const results = await sharedWorld(4).results<PassResult[]>('layer', script);
        const message = text.replace('{}', `${kind} 'bn7'`);
        results.forEach(([failed, next], rank) => {
          expect(failed.error).toEqual(
            rank === 2
              ? {
                  name: message.slice(0, message.indexOf(':')),
                  message: message.replace(/^\w+: | \(in \w+\)$/g, ''),
                }
              : { name: 'RankFailedError', message: `rank 2 failed: ${message}` },
          );
          expect(next.error).toBeUndefined();
          expect(next.dx).toHaveLength(6);
        });
      },
    );

    it('several times in a row fails all ranks each time, though that rank waits for none', async () => {
      const results = await sharedWorld(3).results<PassResult[]>('layer', (rank) => ({
        kind,
        numFeatures: 2,
        options: kind === 'GlobalBatchNorm' ? { deviceNumEachGroup: 3 } : {},
        passes: Array.from({ length: 5 }, () => (rank === 1 ? { ...right, x: wrong } : right)),
      }));
      const names = results.map((passes) => passes.map(({ error }) => error?.name));
      const others = Array.from({ length: 5 }, () => 'RankFailedError');
      expect(names).toEqual([others, others.map(() => 'RangeError'), others]);
    });

    it('over a backward call without a forward call fails all ranks', async () => {
      const results = await sharedWorld(2).results<PassResult[]>('layer', (rank) => ({
        kind,
        numFeatures: 2,
        options: {},
        passes: [rank === 0 ? { dy: good, train: true } : right, right],
      }));
      const message = `${kind}(2): backward needs a forward call before it`;
      expect(results[0][0].error).toEqual({ name: 'Error', message });
      // Rank 1 is in its forward call when rank 0 gives up in backward.
      expect(results[1][0].error).toEqual({
        name: 'RankFailedError',
        message: `rank 0 failed: Error: ${message} (in backward)`,
      });
      expect(results.map(([, next]) => next.error)).toEqual([undefined, undefined]);
    });
  },
);
