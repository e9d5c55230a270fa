import {
  allocateTensor,
  type DType,
  type ForwardContext,
  init,
  release,
  SyncBatchNorm,
  Tensor,
} from 'syncbn';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noise, partOf } from '../harness/layers.js';
import { expectClose, expectSame } from '../harness/numbers.js';
import { oracle } from '../harness/oracle.js';

beforeEach(() => init());
afterEach(release);

const ORACLE = { channels: 2, channelsLast: false, eps: 1e-5, weight: [1, 1], bias: [0, 0] };
const tensor = (seed: number, dtype: DType = 'float32', samples = 4) => {
  const { values, shape } = noise([samples, 2, 3], seed);
  return Tensor.from(values, shape, dtype);
};
const numbers = (x: Tensor) => ({ values: [...x.toFloats()], shape: [...x.shape], dtype: x.dtype });
const expected = (x: Tensor, dy: Tensor) =>
  oracle([partOf(numbers(x), numbers(dy))], ORACLE).ranks[0];
const gradients = (layer: SyncBatchNorm) =>
  layer.parameters().map(({ grad }) => [...grad!.toFloats()]);

describe('several forward calls before a backward call', () => {
  it('each have a context, which may be used in any order, once', () => {
    const layer = new SyncBatchNorm(2);
    const xs = [0, 1, 2].map((seed) => tensor(seed, 'float32', 2 + seed));
    const dys = [0, 1, 2].map((seed) => tensor(seed + 7, 'float32', 2 + seed));
    const contexts = xs.map((x) => layer.forwardWithContext(x).context);
    for (const i of [1, 2, 0]) {
      const dx = layer.backward(dys[i], { context: contexts[i] });
      expectClose(dx.data, expected(xs[i], dys[i]).dx, 1e-6);
      expectClose(gradients(layer)[0], expected(xs[i], dys[i]).dweight, 1e-5);
      expect(contexts[i].saved).toBeNull();
    }
    for (const context of contexts) {
      expect(() => layer.backward(dys[0], { context })).toThrow(
        /backward has used this forward call already/,
      );
    }
  });

  it('without contexts go back through the last forward', () => {
    const layer = new SyncBatchNorm(2);
    const [first, last, dy] = [tensor(0), tensor(1), tensor(2)];
    layer.forward(first);
    layer.forward(last);
    // A call that hands out its context is not "the last" of those that do not.
    const { context } = layer.forwardWithContext(first);
    expectClose(layer.backward(dy).data, expected(last, dy).dx, 1e-6);
    expectClose(layer.backward(dy, { context }).data, expected(first, dy).dx, 1e-6);
  });

  it('are not taken for a training call that waits behind one in inference', () => {
    const layer = new SyncBatchNorm(2);
    const [x, dy] = [tensor(0), tensor(1)];
    layer.forward(x);
    layer.setTrain(false).forward(x);
    layer.forward(x);
    expect(() => layer.backward(dy)).toThrow(
      /^SyncBatchNorm\(2\): the last forward call was in inference, and one in training before it waits.*forwardWithContext/,
    );
    const { context } = layer.forwardWithContext(x);
    layer.backward(dy, { context });
    // A call in training is the last one again; and where none waits, inference has its backward.
    layer.setTrain().forward(x);
    expectClose(layer.backward(dy).data, expected(x, dy).dx, 1e-6);
    layer.setTrain(false).forward(x);
    layer.backward(dy);
  });

  it('are those of their own layer', () => {
    const [first, second] = ['a', 'b'].map((name) => new SyncBatchNorm(2, { name }));
    const { context } = first.forwardWithContext(tensor(0));
    second.forward(tensor(0));
    expect(() => second.backward(tensor(1), { context })).toThrow(
      new RangeError(
        "SyncBatchNorm 'b': the context is that of a forward call of SyncBatchNorm 'a'",
      ),
    );
    first.backward(tensor(1), { context });
  });

  it('keep the mode that they ran in', () => {
    const layer = new SyncBatchNorm(2, { momentum: 0 });
    const [x, dy] = [tensor(0), tensor(1)];
    const training = layer.forwardWithContext(x).context;
    const inference = layer.setTrain(false).forwardWithContext(x).context;
    expectClose(layer.backward(dy, { context: training }).data, expected(x, dy).dx, 1e-6);
    const scale = 1 / Math.sqrt(1 + 1e-5);
    const dx = layer.setTrain().backward(dy, { context: inference });
    expectClose(
      dx.data,
      dy.toFloats().map((value) => value * scale),
      1e-6,
    );
  });

  it('say so when the context is of another shape', () => {
    const layer = new SyncBatchNorm(2);
    const { context } = layer.forwardWithContext(tensor(0));
    layer.forward(tensor(0, 'float32', 2));
    const dy = tensor(1, 'float32', 2);
    expect(() => layer.backward(dy, { context: context as ForwardContext })).toThrow(
      /expected the gradient of an output of shape \(4, 2, 3\) and dtype float32, got shape \(2, 2, 3\)/,
    );
  });
});

describe('gradients of the parameters', () => {
  it('are replaced by each backward call, or added to with accumulate', () => {
    const layer = new SyncBatchNorm(2);
    const [x, dy] = [tensor(0), tensor(1)];
    const { dweight, dbias } = expected(x, dy);
    const back = (options?: object) => {
      layer.forward(x);
      layer.backward(dy, options);
      return gradients(layer);
    };
    const times = (factor: number) => [dweight, dbias].map((sums) => sums.map((s) => factor * s));
    const near = (actual: number[][], wanted: number[][]) =>
      expectClose(actual.flat(), wanted.flat(), 1e-5);
    near(back({ accumulate: true }), times(1));
    near(back({ accumulate: true }), times(2));
    near(back(), times(1));
    near(back({ accumulate: false }), times(1));
    near(back({ accumulate: true }), times(2));
  });

  it('are null before the first backward call, and of the parameters’ type', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const layer = new SyncBatchNorm(2, { dtype });
      expect(layer.parameters().map(({ grad }) => grad)).toEqual([null, null]);
      layer.forward(tensor(0, dtype));
      layer.backward(tensor(1, dtype));
      expect(layer.weight?.grad?.dtype).toBe(dtype);
      expect(layer.bias?.grad?.shape).toEqual([2]);
    }
  });
});

describe.each<DType>(['float32', 'float16', 'bfloat16'])('out tensors of %s', (dtype) => {
  const layer = new SyncBatchNorm(2);
  const fresh = (x: Tensor, dy: Tensor) => {
    const y = layer.forward(x);
    return { y, dx: layer.backward(dy) };
  };

  it('take y and dx, which are returned', () => {
    const [x, dy] = [tensor(0, dtype), tensor(1, dtype)];
    const wanted = fresh(x, dy);
    const [y, dx] = [Tensor.ones(x.shape, dtype), Tensor.ones(x.shape, dtype)];
    expect(layer.forward(x, { out: y })).toBe(y);
    expect(layer.backward(dy, { out: dx })).toBe(dx);
    expectSame(y.data, wanted.y.data);
    expectSame(dx.data, wanted.dx.data);
  });

  it('may be dy itself', () => {
    const [x, dy] = [tensor(0, dtype), tensor(1, dtype)];
    const wanted = fresh(x, dy);
    layer.forward(x);
    expect(layer.backward(dy, { out: dy })).toBe(dy);
    expectSame(dy.data, wanted.dx.data);
  });

  it('may be x itself in inference, and then there is no way back', () => {
    const inference = new SyncBatchNorm(2).setTrain(false);
    const x = tensor(0, dtype);
    const wanted = inference.forward(x);
    expect(inference.forward(x, { out: x })).toBe(x);
    expectSame(x.data, wanted.data);
    expect(() => inference.backward(x)).toThrow(/or its output lies over its input$/);
  });

  it('may not share memory with x in training', () => {
    const x = tensor(0, dtype);
    const { buffer, length } = x.data;
    const part = x.data.subarray(0, length / 2) as typeof x.data;
    for (const [input, out] of [
      [x, x],
      [x, x.reshape(x.shape)],
      [x.reshape(x.shape), new Tensor(x.data.slice(), x.shape, dtype)],
      [new Tensor(part, [2, 2, 3], dtype), new Tensor(part, [2, 2, 3], dtype)],
    ]) {
      const act = () => layer.forward(input, { out });
      if (out.data.buffer !== buffer) expect(act).not.toThrow();
      else expect(act).toThrow(/out may be the input in inference only; backward needs it$/);
    }
    const halves = [0, 1].map((i) => {
      const view = x.data.subarray((i * length) / 2, ((i + 1) * length) / 2) as typeof x.data;
      return new Tensor(view, [2, 2, 3], dtype);
    });
    for (const [input, out] of [halves, [...halves].reverse()]) {
      const wanted = layer.forward(input);
      expectSame(layer.forward(input, { out }).data, wanted.data);
    }
  });
});

describe('in place', () => {
  /** The last one has several blocks of channels. */
  const SHAPES = [
    [4, 6, 3],
    [9, 6, 5, 5],
    [30, 6],
    [2, 4, 100, 100],
  ];
  const cases = SHAPES.flatMap((shape) =>
    [false, true].flatMap((channelsLast) =>
      (['float32', 'float64'] as const).map((dtype) => ({ shape, channelsLast, dtype })),
    ),
  );

  it.each(cases)('%j: the bits are the same, in the kernels’ memory and out of it', (c) => {
    const { channelsLast, dtype } = c;
    const [n, channels, ...plane] = c.shape;
    const shape = channelsLast ? [n, ...plane, channels] : c.shape;
    const filled = (tensor: Tensor, seed: number) => {
      const { data } = tensor;
      for (let i = 0; i < data.length; i++) data[i] = Math.sin(i * (seed + 1)) + seed;
      return tensor;
    };
    const training = new SyncBatchNorm(channels, { channelsLast, dtype });
    const inference = [
      new SyncBatchNorm(channels, { channelsLast, dtype }).setTrain(false),
      new SyncBatchNorm(channels, { channelsLast, dtype, trackRunningStats: false }).setTrain(
        false,
      ),
    ];
    for (const make of [Tensor.zeros, allocateTensor]) {
      const [x, dy, y, dx] = [0, 1, 2, 3].map((seed) => filled(make(shape, dtype), seed));
      for (const layer of inference) {
        layer.forward(x, { out: y });
        expect(layer.forward(x, { out: x })).toBe(x);
        expectSame(x.data, y.data);
        filled(x, 0);
      }
      training.forward(x, { out: y });
      training.backward(dy, { out: dx });
      for (const place of [dy, x]) {
        training.forward(x, { out: y });
        expect(training.backward(dy, { out: place })).toBe(place);
        expectSame(place.data, dx.data);
        filled(dy, 1);
      }
      for (const tensor of [x, dy, y, dx]) tensor.dispose();
    }
  });

  it('a result may not lie over a part of what it is computed from', () => {
    const data = new Float32Array(13).map((_, i) => i);
    const [first, second] = [0, 1].map((at) => Tensor.from(data.subarray(at, at + 12), [2, 2, 3]));
    const error = new RangeError('SyncBatchNorm(2): out lies over a part of its input');
    const layer = new SyncBatchNorm(2).setTrain(false);
    expect(() => layer.forward(first, { out: second })).toThrow(error);
    expect(() => layer.forward(second, { out: first })).toThrow(error);
    expect([...data]).toEqual(Array.from({ length: 13 }, (_, i) => i));
    const dy = Tensor.ones([2, 2, 3]);
    layer.forward(first);
    expect(() => layer.backward(dy, { out: second })).toThrow(error);
    layer.forward(dy);
    expect(() => layer.backward(first, { out: second })).toThrow(error);
    expect(layer.backward(first, { out: first })).toBe(first);
  });
});

describe('results', () => {
  it.each<DType>(['float32', 'float64', 'float16', 'bfloat16'])(
    'have the type of the input: %s',
    (dtype) => {
      const layer = new SyncBatchNorm(2, { dtype });
      const y = layer.forward(tensor(0, dtype));
      const dx = layer.backward(tensor(1, dtype));
      expect([y.dtype, dx.dtype]).toEqual([dtype, dtype]);
      expect([y.shape, dx.shape]).toEqual([
        [4, 2, 3],
        [4, 2, 3],
      ]);
    },
  );

  it('leave the input and the gradient as they were', () => {
    const layer = new SyncBatchNorm(2);
    const [x, dy] = [tensor(0), tensor(1)];
    const before = [x.clone(), dy.clone()];
    layer.forward(x);
    layer.backward(dy);
    expectSame(x.data, before[0].data);
    expectSame(dy.data, before[1].data);
  });
});
