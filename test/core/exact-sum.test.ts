import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { valuesOfWords, wordsOf } from '../../src/core/exact-sum.js';

const scratch = new Float64Array(1);
const words = new BigUint64Array(scratch.buffer);

/** A finite float64 in units of 2^-1074, where all are whole numbers. */
function units(value: number): bigint {
  scratch[0] = value;
  const exponent = (words[0] >> 52n) & 0x7ffn;
  const fraction = words[0] & 0xfffffffffffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return words[0] >> 63n === 1n ? -magnitude : magnitude;
}

const abs = (value: bigint) => (value < 0n ? -value : value);

const boundOf = (terms: readonly number[]) => terms.reduce((m, t) => Math.max(m, Math.abs(t)), 0);

/** The sum of the terms, in parts whose words are added. */
function sumOf(parts: readonly (readonly number[])[], bound = boundOf(parts.flat())): number {
  const sums = new Float64Array(2);
  for (const part of parts) {
    const { upper, lower } = wordsOf(part, bound);
    sums[0] += upper;
    sums[1] += lower;
  }
  const values = new Float64Array(1);
  valuesOfWords(values, sums, new Float64Array([bound]));
  return values[0];
}

/** Float64 of every exponent that has a grid, subnormals, neighbours that nearly cancel. */
const anyTerm = fc.oneof(
  fc
    .tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.integer({ min: -1074, max: 1018 }))
    .map(([fraction, exponent]) => fraction * 2 ** exponent),
  fc.integer({ min: -(2 ** 30), max: 2 ** 30 }).map((n) => n * 2 ** -1074),
  fc.constantFrom(1, -1, 2 ** 53, -(2 ** 53) + 1, 0, -0),
);
/** Terms near one another, as the values of a batch are. */
const nearTerm = fc.double({ min: -1e6, max: 1e6, noNaN: true });
const termLists = fc.oneof(
  fc.array(anyTerm, { maxLength: 60 }),
  fc.array(nearTerm, { maxLength: 200 }),
);

describe('an exact sum', () => {
  it('does not depend on the order of the terms, nor on how they are grouped', () => {
    const cases = termLists.chain((terms) =>
      fc.tuple(
        fc.constant(terms),
        fc.shuffledSubarray(terms, { minLength: terms.length }),
        fc.array(fc.nat(200), { maxLength: 6 }),
      ),
    );
    fc.assert(
      fc.property(cases, ([terms, shuffled, cuts]) => {
        const ends = [...cuts.map((cut) => cut % (terms.length + 1)).sort((a, b) => a - b)];
        const parts = [...ends, terms.length].map((end, i) =>
          shuffled.slice(ends[i - 1] ?? 0, end),
        );
        expect(sumOf(parts)).toBe(sumOf([terms]));
      }),
      { numRuns: 2000 },
    );
  });

  it('is off by half a unit for each term at most, and by its rounding to float64', () => {
    fc.assert(
      fc.property(termLists, (terms) => {
        const exact = terms.reduce((sum, term) => sum + units(term), 0n);
        const bound = units(boundOf(terms));
        const off = abs(units(sumOf([terms])) - exact);
        // A unit is 2^-48 of the bound at most, or 2^-1071.
        const most = (BigInt(terms.length) * ((bound >> 47n) + 8n)) / 2n + (abs(exact) >> 52n) + 1n;
        expect(off <= most).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('is 0 for terms that cancel, and for none', () => {
    expect(sumOf([])).toBe(0);
    expect(sumOf([[0, -0]])).toBe(0);
    expect(sumOf([[1e16, 1], [-1e16], [-1]])).toBe(0);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 1022])('of a bound of %s is NaN', (bound) => {
    expect(sumOf([[1, 2]], bound)).toBeNaN();
  });
});
