/** Tensors and states through everything that clones them: all numbers, with their bits. */

import { deserialize, serialize } from 'node:v8';
import { MessageChannel } from 'node:worker_threads';
import { type DType, init, release, SyncBatchNorm, Tensor, type TensorLike } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSame } from '../harness/numbers.js';

beforeAll(() => init());
afterAll(release);

const NUMBERS = [1.5, -0, 0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.1];

async function post<T>(value: T): Promise<T> {
  const { port1, port2 } = new MessageChannel();
  const arrived = new Promise<T>((resolve) => port2.once('message', resolve));
  port1.postMessage(value);
  const result = await arrived;
  port1.close();
  return result;
}

const WAYS: [string, <T>(value: T) => T | Promise<T>][] = [
  ['structuredClone', (value) => structuredClone(value)],
  ['postMessage', post],
  ['v8.serialize', (value) => deserialize(serialize(value))],
  ['JSON', (value) => JSON.parse(JSON.stringify(value))],
];

describe.each(WAYS)('%s', (_, through) => {
  it.each<DType>(['float32', 'float64', 'float16', 'bfloat16'])(
    'keeps all numbers of a tensor of %s',
    async (dtype) => {
      const tensor = Tensor.from(NUMBERS, [7, 1], dtype);
      const back = Tensor.of((await through(tensor)) as TensorLike);
      expect(back).toBeInstanceOf(Tensor);
      expect([back.shape, back.dtype]).toEqual([[7, 1], dtype]);
      expectSame(back.toFloats(), tensor.toFloats());
    },
  );

  it('keeps a state, which can be loaded as it comes out', async () => {
    const layer = new SyncBatchNorm(7, { name: 'bn' });
    for (const tensor of Object.values(layer.stateTensors())) {
      if (tensor.shape.length === 1) tensor.data.set(NUMBERS);
      else tensor.data[0] = 2 ** 40;
    }
    const fresh = new SyncBatchNorm(7);
    fresh.loadStateDict(await through(layer.stateDict()));
    for (const [name, tensor] of Object.entries(layer.stateDict())) {
      expectSame(fresh.stateDict()[name].data, tensor.data);
    }
  });
});

describe('Tensor.of', () => {
  it('gives a tensor as it is, and refuses what is none', () => {
    const tensor = Tensor.ones([2]);
    expect(Tensor.of(tensor)).toBe(tensor);
    for (const wrong of [null, 3, 'x', {}, { shape: [1], dtype: 'float32', data: ['x'] }]) {
      expect(() => Tensor.of(wrong as never)).toThrow(/^Tensor.of: /);
    }
    expect(() => Tensor.of({ shape: [2], dtype: 'float32', data: [1] })).toThrow(RangeError);
  });
});

describe('states of other frameworks', () => {
  it('are taken and given by their names', () => {
    const layer = new SyncBatchNorm(2);
    const own = { weight: 3, bias: 4, runningMean: 5, runningVar: 6 };
    for (const [name, value] of Object.entries(own)) layer.stateTensors()[name].data.fill(value);
    layer.numBatchesTracked.data[0] = 7;
    const theirs = layer.stateDict({ names: 'pytorch' });
    expect(Object.entries(theirs).map(([name, { data }]) => [name, data[0]])).toEqual([
      ['weight', 3],
      ['bias', 4],
      ['running_mean', 5],
      ['running_var', 6],
      ['num_batches_tracked', 7],
    ]);
    const keras = layer.stateDict({ names: 'keras' });
    expect(Object.keys(keras)).toEqual(['gamma', 'beta', 'moving_mean', 'moving_variance']);
    const [same, other] = [new SyncBatchNorm(2), new SyncBatchNorm(2)];
    same.loadStateDict(theirs, { names: 'pytorch' });
    expect(same.stateDict()).toEqual(layer.stateDict());
    // Keras counts no batches.
    other.loadStateDict(keras, { names: 'keras' });
    expect(other.stateDict({ names: 'keras' })).toEqual(keras);
    same.loadStateDict(keras, { names: 'keras' });
    expect(() => same.stateDict({ names: 'torch' as never })).toThrow(RangeError);
    expect(() => same.loadStateDict(theirs, { name: 'pytorch' } as never)).toThrow(
      /unknown option 'name'.*did you mean 'names'/,
    );
  });

  it('may lack names and have others with strict: false, which says which', () => {
    const layer = new SyncBatchNorm(1);
    const report = layer.loadStateDict(
      { bias: Tensor.from([2]), scale: Tensor.from([3]) },
      { strict: false },
    );
    expect(report).toEqual({
      missing: ['weight', 'runningMean', 'runningVar', 'numBatchesTracked'],
      unexpected: ['scale'],
    });
    expect([layer.bias.data.data[0], layer.weight.data.data[0]]).toEqual([2, 1]);
    expect(layer.loadStateDict(layer.stateDict())).toEqual({ missing: [], unexpected: [] });
  });

  it('change nothing where a later entry is bad: a negative count, a disposed tensor', () => {
    const layer = new SyncBatchNorm(1);
    const before = layer.stateDict();
    const disposed = Tensor.from([1]);
    disposed.dispose();
    const changed = { ...before, weight: Tensor.from([9]) };
    for (const bad of [
      { ...changed, numBatchesTracked: Tensor.from([-1], []) },
      { ...changed, numBatchesTracked: Tensor.from([0.5], []) },
      { ...changed, runningVar: disposed },
    ]) {
      expect(() => layer.loadStateDict(bad)).toThrow();
      expect(layer.stateDict()).toEqual(before);
    }
  });
});
