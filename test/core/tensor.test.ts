import { inspect } from 'node:util';
import { type DType, Tensor } from 'syncbn';
import { describe, expect, it } from 'vitest';

const DTYPES: DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

/** What a caller without types could write. */
const untyped = Tensor as unknown as {
  new (...args: unknown[]): Tensor;
  from(...args: unknown[]): Tensor;
  zeros(...args: unknown[]): Tensor;
  full(...args: unknown[]): Tensor;
};

describe('a Tensor', () => {
  it('wraps its data without a copy, and keeps a shape of its own', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const shape = [2, 3];
    const tensor = new Tensor(data, shape, 'float32');
    shape[0] = 9;
    expect(tensor.data).toBe(data);
    expect(tensor.shape).toEqual([2, 3]);
    expect(tensor.size).toBe(6);
    expect(tensor.toFloats()).toBe(data);
  });

  it('may have no axes, or no elements', () => {
    expect(Tensor.from([7], []).shape).toEqual([]);
    expect(Tensor.from([7], []).size).toBe(1);
    expect(Tensor.zeros([0, 3]).size).toBe(0);
    expect(Tensor.from([]).shape).toEqual([0]);
  });

  it.each<[string, () => unknown, RegExp, new () => Error]>([
    [
      'another array',
      () => new untyped(new Float64Array(2), [2], 'float32'),
      /float32 is stored in a Float32Array, got Float64Array; use Tensor\.from/,
      TypeError,
    ],
    [
      'a list',
      () => new untyped([1, 2], [2], 'float64'),
      /float64 is stored in a Float64Array, got Array/,
      TypeError,
    ],
    [
      'nothing',
      () => new untyped(null, [2], 'float16'),
      /float16 is stored in a Uint16Array, got null/,
      TypeError,
    ],
    [
      'a shape of another size',
      () => new untyped(new Float32Array(5), [2, 3], 'float32'),
      /shape \(2, 3\) holds 6 elements, the data has 5/,
      RangeError,
    ],
    [
      'a shape that is no list',
      () => new untyped(new Float32Array(5), 5, 'float32'),
      /shape must be a list of sizes, got 5/,
      TypeError,
    ],
    [
      'a negative size',
      () => new untyped(new Float32Array(0), [-1], 'float32'),
      /sizes are integers of 0 and more, got \[-1\]/,
      RangeError,
    ],
    [
      'a fraction',
      () => new untyped(new Float32Array(0), [2, 0.5], 'float32'),
      /sizes are integers of 0 and more, got \[2, 0\.5\]/,
      RangeError,
    ],
    [
      'an unknown type',
      () => new untyped(new Float32Array(1), [1], 'int8'),
      /Tensor: dtype must be one of .*, got 'int8'/,
      RangeError,
    ],
  ])('cannot be made of %s', (_, make, message, kind) => {
    expect(make).toThrow(kind);
    expect(make).toThrow(message);
  });
});

describe('Tensor.from', () => {
  it('makes float32 of numbers and float64 of a Float64Array, on one axis', () => {
    expect(Tensor.from([1.1]).dtype).toBe('float32');
    expect(Tensor.from([1.1]).data[0]).toBe(Math.fround(1.1));
    expect(Tensor.from(Int32Array.of(3)).dtype).toBe('float32');
    expect(Tensor.from(Float64Array.of(1.1)).dtype).toBe('float64');
    expect(Tensor.from([1, 2, 3]).shape).toEqual([3]);
    expect(Tensor.from({ length: 2, 0: 5, 1: 6 }).data).toEqual(Float32Array.of(5, 6));
  });

  it.each(DTYPES)('rounds numbers to %s', (dtype) => {
    const tensor = Tensor.from([1, 1 + 2 ** -8, 1 + 2 ** -11, 1 + 2 ** -40], [2, 2], dtype);
    const [one, eighth, eleventh, fortieth] = tensor.toFloats();
    expect(tensor.dtype).toBe(dtype);
    expect(one).toBe(1);
    expect(eighth).toBe(dtype === 'bfloat16' ? 1 : 1 + 2 ** -8);
    expect(eleventh).toBe(dtype.endsWith('16') ? 1 : 1 + 2 ** -11);
    expect(fortieth).toBe(dtype === 'float64' ? 1 + 2 ** -40 : 1);
  });

  it('is another view of a Float16Array, where the engine has it', () => {
    const engine = globalThis as { Float16Array?: unknown };
    const real = engine.Float16Array;
    // Node 20 has none: bit patterns stand for its numbers.
    const View = (real ?? class Float16Array extends Uint16Array {}) as typeof Uint16Array;
    engine.Float16Array = View;
    try {
      const given = new View(3).fill(1);
      const tensor = Tensor.from(given, [3, 1]);
      expect([tensor.dtype, tensor.shape]).toEqual(['float16', [3, 1]]);
      expect(tensor.data).toBeInstanceOf(Uint16Array);
      expect(tensor.data.buffer).toBe(given.buffer);
      const view = tensor.toFloat16Array();
      expect(view).toBeInstanceOf(View);
      expect([view.buffer, view.length]).toEqual([given.buffer, 3]);
      expect(Tensor.from(given, [3], 'float32').dtype).toBe('float32');
      expect(() => Tensor.zeros([1]).toFloat16Array()).toThrow(RangeError);
      delete engine.Float16Array;
      expect(() => tensor.toFloat16Array()).toThrow('this engine has no Float16Array');
    } finally {
      if (real === undefined) delete engine.Float16Array;
      else engine.Float16Array = real;
    }
  });

  it('wraps an array that stores the type already, and copies any other', () => {
    const bits = Uint16Array.of(0x3c00, 0xc000);
    expect(Tensor.from(bits, [2], 'float16').data).toBe(bits);
    expect(Array.from(Tensor.from(bits, [2], 'float16').toFloats())).toEqual([1, -2]);
    expect(Array.from(Tensor.from(bits, [2], 'float32').data)).toEqual([0x3c00, 0xc000]);
    const doubles = Float64Array.of(1, 2);
    expect(Tensor.from(doubles).data).toBe(doubles);
    expect(Tensor.from(doubles, [2], 'float32').data).toEqual(Float32Array.of(1, 2));
  });

  it.each<[string, unknown[], RegExp, new () => Error]>([
    ['a number', [3], /Tensor\.from: expected an array of numbers, got 3/, TypeError],
    ['null', [null], /expected an array of numbers, got null/, TypeError],
    ['text', ['123'], /expected an array of numbers, got '123'/, TypeError],
    ['an object', [new Map()], /expected an array of numbers, got Map/, TypeError],
    [
      'nested lists',
      [[[1], [2]]],
      /element 0 is not a number but Array; nested lists need flat\(\) and a shape/,
      TypeError,
    ],
    ['text inside', [[1, '2']], /element 1 is not a number but '2'/, TypeError],
    ['a hole', [[1, undefined]], /element 1 is not a number but undefined/, TypeError],
    [
      'a wrong shape',
      [[1, 2, 3], [2]],
      /shape \(2,\) holds 2 elements, the source has 3/,
      RangeError,
    ],
    ['a shape of text', [[1], ['1']], /sizes are integers of 0 and more, got \['1'\]/, RangeError],
    [
      'an unknown type',
      [[1], [1], 'half'],
      /Tensor\.from: dtype must be one of .*, got 'half'/,
      RangeError,
    ],
  ])('refuses %s', (_, args, message, kind) => {
    expect(() => untyped.from(...args)).toThrow(kind);
    expect(() => untyped.from(...args)).toThrow(message);
  });
});

describe('filled tensors', () => {
  it.each(DTYPES)('of %s hold the number everywhere', (dtype) => {
    expect(Array.from(Tensor.zeros([2, 1], dtype).toFloats())).toEqual([0, 0]);
    expect(Array.from(Tensor.ones([2], dtype).toFloats())).toEqual([1, 1]);
    expect(Array.from(Tensor.full([1, 2], -2.5, dtype).toFloats())).toEqual([-2.5, -2.5]);
    expect(Tensor.full([1, 2], -2.5, dtype).dtype).toBe(dtype);
    expect(Tensor.full([1, 2], -2.5, dtype).shape).toEqual([1, 2]);
  });

  it('are float32 unless asked otherwise, and refuse wrong arguments', () => {
    expect([Tensor.zeros([1]), Tensor.ones([1]), Tensor.full([1], 2)].map((t) => t.dtype)).toEqual([
      'float32',
      'float32',
      'float32',
    ]);
    expect(() => untyped.zeros(3)).toThrow(
      new TypeError('Tensor.zeros: shape must be a list of sizes, got 3'),
    );
    expect(() => untyped.zeros([1], 'int')).toThrow(/dtype must be one of .*, got 'int'$/);
    expect(() => untyped.full([1], '3')).toThrow(
      new TypeError("Tensor.full: the value must be a number, got '3'"),
    );
  });
});

describe('views and copies', () => {
  it('reshape shares the data and wants the same number of elements', () => {
    const tensor = Tensor.from([1, 2, 3, 4]);
    const square = tensor.reshape([2, 2]);
    expect(square.data).toBe(tensor.data);
    expect(square.shape).toEqual([2, 2]);
    expect(() => tensor.reshape([3])).toThrow(
      new RangeError('Tensor: shape (3,) holds 3 elements, the data has 4'),
    );
  });

  it.each(DTYPES)('clone has data of its own, rounded to %s', (dtype) => {
    const tensor = Tensor.from([1.25, 1 + 2 ** -12], [2], 'float32');
    const copy = tensor.clone(dtype);
    expect(copy.dtype).toBe(dtype);
    expect(copy.shape).toEqual([2]);
    expect(copy.data.buffer).not.toBe(tensor.data.buffer);
    const second = dtype.endsWith('16') ? 1 : 1 + 2 ** -12;
    expect(Array.from(copy.toFloats())).toEqual([1.25, second]);
    copy.data[0] = 0;
    expect(tensor.data[0]).toBe(1.25);
  });

  it('clone widens 16-bit types and refuses unknown ones', () => {
    const half = Tensor.from([0.1], [1], 'float16');
    expect(half.clone('float64').data[0]).toBe(half.toFloats()[0]);
    expect(half.clone().data).toEqual(half.data);
    expect(() => half.clone('x' as DType)).toThrow(/dtype must be one of .*, got 'x'$/);
  });

  it('toFloats is a copy for 16-bit types only', () => {
    const half = Tensor.from([0.5], [1], 'bfloat16');
    half.toFloats()[0] = 9;
    expect(half.toFloats()[0]).toBe(0.5);
    expect(half.toFloats()).toBeInstanceOf(Float32Array);
  });
});

describe('a Tensor on the console', () => {
  it('shows elements, shape and type', () => {
    expect(inspect(Tensor.from([1, 2, 3, 4], [2, 2]))).toBe(
      'Tensor([[1. 2.]\n        [3. 4.]], shape=(2, 2), dtype=float32)',
    );
    expect(inspect(Tensor.from([1], [1], 'float64'))).toBe(
      'Tensor([1.], shape=(1,), dtype=float64)',
    );
  });
});
