import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  allocate,
  checkDType,
  computeDType,
  DTYPES,
  type DType,
  fromBfloat16,
  fromFloat16,
  isDType,
  narrow,
  toBfloat16,
  toFloat16,
  widen,
} from '../../src/core/dtype.js';

/** Bits of a positive 16-bit format: all finite values in rising order, then where infinity is. */
interface Format {
  name: 'float16' | 'bfloat16';
  encode: (value: number) => number;
  decode: (bits: number) => number;
  infinity: number;
  /** Value of a finite pattern, from the format's definition; at `infinity`, the next in line. */
  finite: (bits: number) => number;
  /** What the input is rounded to first. */
  through: (value: number) => number;
}

const FORMATS: Format[] = [
  {
    name: 'float16',
    encode: toFloat16,
    decode: fromFloat16,
    infinity: 0x7c00,
    finite: (bits) => scaled(bits, 10, -24),
    through: (value) => value,
  },
  {
    name: 'bfloat16',
    encode: toBfloat16,
    decode: fromBfloat16,
    infinity: 0x7f80,
    finite: (bits) => scaled(bits, 7, -133),
    through: Math.fround,
  },
];

/** Value of a pattern with `fractionBits`, whose subnormals count units of 2^unit. */
function scaled(bits: number, fractionBits: number, unit: number): number {
  const hidden = 2 ** fractionBits;
  const exponent = Math.floor(bits / hidden);
  const fraction = bits % hidden;
  return exponent === 0 ? fraction * 2 ** unit : (hidden + fraction) * 2 ** (unit + exponent - 1);
}

/** The nearest pattern, ties to the even one: by search, without arithmetic on bits. */
function nearest({ infinity, finite, through }: Format, input: number): number {
  const value = through(input);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  let low = 0;
  let high = infinity;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (finite(middle) <= magnitude) low = middle;
    else high = middle;
  }
  const half = (finite(low) + finite(high)) / 2;
  if (magnitude === half) return sign + (low % 2 === 0 ? low : high);
  return sign + (magnitude < half ? low : high);
}

const scratch = new Float64Array(1);
const words = new BigInt64Array(scratch.buffer);

/** The float64 next to a positive `value`, up (1n) or down (-1n). */
function neighbour(value: number, direction: bigint): number {
  scratch[0] = value;
  words[0] += direction;
  return scratch[0];
}

describe.each(FORMATS)('$name', (format) => {
  const { encode, decode, infinity, finite } = format;

  it('decodes every finite pattern as IEEE 754 defines it, of both signs', () => {
    for (let bits = 0; bits < infinity; bits++) {
      if (decode(bits) !== finite(bits) || !Object.is(decode(bits + 0x8000), -finite(bits))) {
        expect.unreachable(`pattern ${bits}: ${decode(bits)}, ${decode(bits + 0x8000)}`);
      }
    }
    expect(decode(0)).toBe(0);
    expect(decode(0x8000)).toBe(-0);
    expect(decode(infinity)).toBe(Number.POSITIVE_INFINITY);
    expect(decode(infinity + 0x8000)).toBe(Number.NEGATIVE_INFINITY);
  });

  it('gives each of the 65536 patterns back, NaN as NaN', () => {
    let notNumbers = 0;
    for (let bits = 0; bits < 65536; bits++) {
      const value = decode(bits);
      if (Number.isNaN(value)) {
        notNumbers++;
        if (!Number.isNaN(decode(encode(value)))) expect.unreachable(`NaN pattern ${bits}`);
      } else if (encode(value) !== bits) {
        expect.unreachable(`pattern ${bits} became ${encode(value)}`);
      }
    }
    expect(notNumbers).toBe(2 * (0x8000 - infinity - 1));
  });

  it('rounds at and beside every half-way point to the nearest, ties to even', () => {
    for (let bits = 0; bits < infinity; bits++) {
      const half = (finite(bits) + finite(bits + 1)) / 2;
      for (const value of [half, neighbour(half, 1n), neighbour(half, -1n)]) {
        const expected = nearest(format, value);
        if (encode(value) !== expected || encode(-value) !== expected + 0x8000) {
          expect.unreachable(`${value}: ${encode(value)} instead of ${expected}`);
        }
      }
    }
  });

  it('rounds any number to the nearest', () => {
    const exponents = fc.integer({ min: -160, max: 130 });
    const inputs = fc.oneof(
      fc.double({ noNaN: true }),
      fc
        .tuple(fc.double({ min: -2, max: 2, noNaN: true }), exponents)
        .map(([fraction, exponent]) => fraction * 2 ** exponent),
    );
    fc.assert(
      fc.property(inputs, (value) => {
        expect(encode(value)).toBe(nearest(format, value));
      }),
      { numRuns: 3000 },
    );
  });

  it('stores NaN as a quiet NaN and too much as infinity', () => {
    expect(encode(Number.NaN)).toBe(format.name === 'float16' ? 0x7e00 : 0x7fc0);
    const last = finite(infinity - 1);
    const limit = (last + finite(infinity)) / 2;
    expect(encode(last)).toBe(infinity - 1);
    expect(encode(limit)).toBe(infinity);
    expect(encode(-limit)).toBe(infinity + 0x8000);
    expect(encode(Number.NEGATIVE_INFINITY)).toBe(infinity + 0x8000);
    expect(encode(1e300)).toBe(infinity);
  });
});

describe('element types', () => {
  it.each<[DType, string, string, 'float32' | 'float64']>([
    ['float32', 'Float32Array', 'Float32Array', 'float32'],
    ['float64', 'Float64Array', 'Float64Array', 'float64'],
    ['float16', 'Uint16Array', 'Float32Array', 'float32'],
    ['bfloat16', 'Uint16Array', 'Float32Array', 'float32'],
  ])('%s is stored in a %s and computed in a %s', (dtype, storage, floats, computed) => {
    expect(allocate(dtype, 3).constructor.name).toBe(storage);
    expect(Array.from(allocate(dtype, 3))).toEqual([0, 0, 0]);
    expect(allocate(computeDType(dtype), 2).constructor.name).toBe(floats);
    expect(computeDType(dtype)).toBe(computed);
    expect(widen(allocate(dtype, 2), dtype).constructor.name).toBe(floats);
  });

  it.each(DTYPES)('%s stores and reads back what it can hold', (dtype) => {
    const numbers = [0, 1, -2.5, 0.15625, Number.POSITIVE_INFINITY, Number.NaN];
    const target = allocate(dtype, numbers.length);
    narrow(numbers, target, dtype);
    expect(Array.from(widen(target, dtype))).toEqual(numbers);
  });

  it('widens without a copy where the array holds numbers already', () => {
    const numbers = Float32Array.of(1, 2);
    expect(widen(numbers, 'float32')).toBe(numbers);
  });

  it('are known by name', () => {
    for (const dtype of DTYPES) expect(checkDType(dtype, 'here')).toBe(dtype);
    for (const [other, shown] of [
      ['int8', "'int8'"],
      ['', "''"],
      [undefined, 'undefined'],
      [32, '32'],
      [null, 'null'],
    ]) {
      expect(isDType(other)).toBe(false);
      expect(() => checkDType(other, 'here')).toThrow(
        new RangeError(
          `here: dtype must be one of float32, float64, float16, bfloat16, got ${shown}`,
        ),
      );
    }
  });
});
