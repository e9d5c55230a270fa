import {
  type AnySyncBatchNorm,
  createGroup,
  createThreadWorld,
  GlobalBatchNorm,
  init,
  release,
  type StateDict,
  SyncBatchNorm,
  Tensor,
} from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

beforeAll(() => init({ world: createThreadWorld(4)[2] }));
afterAll(release);

const numbers = (state: StateDict) =>
  Object.fromEntries(Object.entries(state).map(([name, t]) => [name, [...t.toFloats()]]));

/** A layer, the names of its state and values for them. */
const LAYERS: [string, () => AnySyncBatchNorm | GlobalBatchNorm, Record<string, number[]>][] = [
  [
    'SyncBatchNorm',
    () => new SyncBatchNorm(2, { name: 'bn' }),
    {
      weight: [2, 3],
      bias: [-1, 1],
      runningMean: [5, 6],
      runningVar: [7, 8],
      numBatchesTracked: [9],
    },
  ],
  [
    'SyncBatchNorm',
    () => new SyncBatchNorm(2, { name: 'bn', affine: false }),
    { runningMean: [5, 6], runningVar: [7, 8], numBatchesTracked: [2 ** 40] },
  ],
  [
    'SyncBatchNorm',
    () => new SyncBatchNorm(2, { name: 'bn', trackRunningStats: false }),
    { weight: [2, 3], bias: [-1, 1] },
  ],
  [
    'GlobalBatchNorm',
    () => new GlobalBatchNorm(2, { name: 'bn' }),
    { gamma: [2, 3], beta: [-1, 1], movingMean: [5, 6], movingVariance: [7, 8] },
  ],
];

/** A state of `values`; counts have no axes. */
const stateOf = (values: Record<string, number[]>): StateDict =>
  Object.fromEntries(
    Object.entries(values).map(([name, list]) => [
      name,
      name === 'numBatchesTracked' ? Tensor.from(list, [], 'float64') : Tensor.from(list),
    ]),
  );

describe.each(LAYERS)('the state of a %s (case %#)', (kind, make, values) => {
  const label = `${kind} 'bn'`;

  it('goes into another layer and comes out the same, in the same order', () => {
    const layer = make();
    layer.loadStateDict(stateOf(values));
    const other = make();
    other.loadStateDict(layer.stateDict());
    expect(numbers(other.stateDict())).toEqual(values);
    expect(Object.keys(other.stateDict())).toEqual(Object.keys(values));
  });

  it('is copied on its way out and in', () => {
    const layer = make();
    const given = stateOf(values);
    layer.loadStateDict(given);
    for (const { data } of Object.values(given)) data.fill(0);
    for (const { data } of Object.values(layer.stateDict())) data.fill(0);
    expect(numbers(layer.stateDict())).toEqual(values);
  });

  it('is written into the tensors that the layer has, so that optimizers keep theirs', () => {
    const layer = make();
    const held = layer.parameters().map(({ data }) => data);
    layer.loadStateDict(stateOf(values));
    expect(layer.parameters().map(({ data }) => data)).toEqual(held);
    layer.parameters().forEach(({ data }, i) => {
      expect(data).toBe(held[i]);
    });
  });

  it('is what the layer normalises by', () => {
    const layer = make().setTrain(false);
    layer.loadStateDict(stateOf(values));
    if (!('runningMean' in values) && !('movingMean' in values))
      return expect(kind).toBe('SyncBatchNorm');
    const y = layer.forward(Tensor.from([6, 4], [1, 2]));
    const scale = values.weight ?? values.gamma ?? [1, 1];
    const shift = values.bias ?? values.beta ?? [0, 0];
    expect(y.data[0]).toBeCloseTo(((6 - 5) / Math.sqrt(7 + 1e-5)) * scale[0] + shift[0], 5);
    expect(y.data[1]).toBeCloseTo(((4 - 6) / Math.sqrt(8 + 1e-5)) * scale[1] + shift[1], 5);
  });

  const names = Object.keys(values);
  const wrong: [string, (state: StateDict) => unknown, new () => Error, string][] = [
    ['nothing', () => null, TypeError, 'loadStateDict takes an object of Tensors'],
    ['text', () => 'state', TypeError, 'loadStateDict takes an object of Tensors'],
    [
      'an empty object',
      () => ({}),
      RangeError,
      `the state must hold ${names.join(', ')}; missing: ${names.join(', ')}; unknown: none`,
    ],
    [
      'a name too many',
      (state) => ({ ...state, running_mean: state[names[0]] }),
      RangeError,
      `the state must hold ${names.join(', ')}; missing: none; unknown: running_mean`,
    ],
    [
      'an entry that is no Tensor',
      (state) => ({ ...state, [names.at(-1)!]: [1, 2] }),
      TypeError,
      `${names.at(-1)} must be a Tensor, or a clone of one: Tensor.of: dtype must be one of float32, float64, float16, bfloat16, got undefined`,
    ],
    [
      'a last entry of another shape',
      (state) => ({ ...state, [names.at(-1)!]: Tensor.zeros([3]) }),
      RangeError,
      `${names.at(-1)} must have shape ${names.at(-1) === 'numBatchesTracked' ? '()' : '(2,)'}, got (3,)`,
    ],
  ];

  it.each(wrong)('refuses %s, and nothing changes', (_, change, error, message) => {
    const layer = make();
    layer.loadStateDict(stateOf(values));
    const zeros = Object.fromEntries(names.map((name) => [name, values[name].map(() => 0)]));
    const act = () => layer.loadStateDict(change(stateOf(zeros)) as StateDict);
    expect(act).toThrow(error);
    expect(act).toThrow(expect.objectContaining({ message: `${label}: ${message}` }));
    expect(numbers(layer.stateDict())).toEqual(values);
  });
});

describe('a state that cannot be taken', () => {
  it.each<[string, (state: StateDict) => void, string]>([
    [
      'a count below 0',
      (state) => {
        state.numBatchesTracked = Tensor.from([-1], []);
      },
      "SyncBatchNorm 'a': numBatchesTracked must be an integer of 0 or more, got -1",
    ],
    [
      'a later tensor that was disposed',
      (state) => state.runningVar.dispose(),
      'Tensor: this tensor of shape (2,) was disposed',
    ],
  ])('is refused for %s, and nothing changes', (_, spoil, message) => {
    const layer = new SyncBatchNorm(2, { name: 'a' });
    const before = numbers(layer.stateDict());
    const state = layer.stateDict();
    state.weight.data.fill(0);
    spoil(state);
    expect(() => layer.loadStateDict(state)).toThrow(message);
    expect(numbers(layer.stateDict())).toEqual(before);
  });
});

describe('a state of another type', () => {
  it('is rounded to the layer’s', () => {
    const layer = new SyncBatchNorm(1, { affine: false });
    const state = new SyncBatchNorm(1, { affine: false, dtype: 'float64' }).stateDict();
    state.runningMean.data[0] = 0.1;
    layer.loadStateDict(state);
    expect(layer.runningMean?.data[0]).toBe(Math.fround(0.1));
    expect(layer.runningMean?.dtype).toBe('float32');
  });
});

describe('a layer as text', () => {
  it.each<[() => object, string]>([
    [
      () => new SyncBatchNorm(2),
      'SyncBatchNorm(2, eps=0.00001, momentum=0.1, affine=true, trackRunningStats=true, processGroup=null, dtype=float32)',
    ],
    [
      () =>
        new SyncBatchNorm(3, {
          eps: 0.5,
          momentum: null,
          affine: false,
          trackRunningStats: false,
          dtype: 'float64',
          processGroup: createGroup('pair', [2, 3]),
        }),
      "SyncBatchNorm(3, eps=0.5, momentum=null, affine=false, trackRunningStats=false, processGroup='pair', dtype=float64)",
    ],
    [
      () => new GlobalBatchNorm(2),
      'GlobalBatchNorm(2, deviceNumEachGroup=2, eps=0.00001, momentum=0.9, affine=true, useBatchStatistics=null, dtype=float32)',
    ],
    [
      () => new GlobalBatchNorm(2, { deviceNumEachGroup: 4, useBatchStatistics: true }),
      'GlobalBatchNorm(2, deviceNumEachGroup=4, eps=0.00001, momentum=0.9, affine=true, useBatchStatistics=true, dtype=float32)',
    ],
  ])('tells how it was made (case %#)', (make, text) => {
    expect(String(make())).toBe(text);
  });
});
