import { type ForwardOptions, init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from '../harness/layers.js';

beforeAll(() => init());
afterAll(release);

const SHAPE = [4, 2, 3];
const tensor = (seed: number) => Tensor.from(noise(SHAPE, seed).values, SHAPE);
const both = (): ForwardOptions => ({ add: tensor(2), activation: 'relu' });

describe('options of a tail', () => {
  it.each([
    [
      'an unknown activation',
      { activation: 'gelu' },
      RangeError,
      'activation must be one of none, relu',
    ],
    [
      'add that is no tensor',
      { add: new Float32Array(24) },
      TypeError,
      'add must be a Tensor, got ',
    ],
    [
      'add of another shape',
      { add: Tensor.ones([4, 2, 4]) },
      RangeError,
      'add must have shape (4, 2, 3) and dtype float32, got shape (4, 2, 4) and',
    ],
    [
      'add of another type',
      { add: Tensor.ones(SHAPE, 'float16') },
      RangeError,
      'add must have shape (4, 2, 3) and dtype float32, got shape (4, 2, 3) and dtype float16',
    ],
  ])('refuse %s', (_, options, type, text) => {
    const layer = new SyncBatchNorm(2);
    const forward = () => layer.forward(tensor(1), options as ForwardOptions);
    expect(forward).toThrow(type);
    expect(forward).toThrow(`${layer.label}: ${text}`);
  });

  it('refuse an out that lies over a part of add', () => {
    const layer = new SyncBatchNorm(2);
    const array = new Float32Array(25);
    const [add, out] = [array.subarray(1), array.subarray(0, 24)].map(
      (data) => new Tensor(data, SHAPE, 'float32'),
    );
    expect(() => layer.forward(tensor(1), { add, out })).toThrow(
      'out lies over a part of its input',
    );
  });

  it('ask for a place for the gradient of add, and for no more', () => {
    const layer = new SyncBatchNorm(2);
    layer.forward(tensor(1), both());
    expect(() => layer.backward(tensor(3))).toThrow(
      new TypeError(
        `${layer.label}: addOut must be the tensor that gets the gradient of add, or null, got undefined`,
      ),
    );
    const out = Tensor.zeros(SHAPE);
    expect(() => layer.backward(tensor(3), { out, addOut: out })).toThrow(
      'addOut may not share memory with out',
    );
    expect(() => layer.backward(tensor(3), { addOut: Tensor.ones([2]) })).toThrow(
      'addOut must have shape (4, 2, 3) and dtype float32',
    );
    const x = tensor(1);
    layer.forward(x, both());
    expect(() => layer.backward(tensor(3), { addOut: x })).toThrow(
      'addOut may not share memory with the input',
    );
    for (const options of [{}, { activation: 'relu' as const }]) {
      layer.forward(x, options);
      expect(() => layer.backward(tensor(3), { addOut: Tensor.zeros(SHAPE) })).toThrow(
        new RangeError(
          `${layer.label}: addOut is for the gradient of add, which the call did not have`,
        ),
      );
    }
  });

  it('keep an output that may not be disposed of before its backward call', () => {
    const layer = new SyncBatchNorm(2);
    const y = layer.forward(tensor(1), { activation: 'relu' });
    y.dispose();
    expect(() => layer.backward(tensor(3))).toThrow(/disposed/);
  });
});
