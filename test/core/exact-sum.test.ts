import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExactSum, PACKED_SUM } from '../../src/core/exact-sum.js';

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

function sumOf(terms: readonly number[]): number {
  const sum = new ExactSum();
  for (const term of terms) sum.add(term);
  return sum.value();
}

/** The sum of `terms` added in `parts` sums that are packed and merged; `cuts` say where. */
function mergedSum(terms: readonly number[], cuts: readonly number[]): number {
  const ends = [...cuts.map((cut) => cut % (terms.length + 1)).sort((a, b) => a - b), terms.length];
  const packed = new Float64Array(ends.length * PACKED_SUM + 3);
  ends.forEach((end, i) => {
    const part = new ExactSum();
    for (const term of terms.slice(i === 0 ? 0 : ends[i - 1], end)) part.add(term);
    part.pack(packed, 3 + i * PACKED_SUM);
  });
  const merged = new ExactSum();
  for (let i = 0; i < ends.length; i++) merged.merge(packed, 3 + i * PACKED_SUM);
  return merged.value();
}

/** All finite float64: every exponent alike, subnormals, neighbours that nearly cancel. */
const anyTerm = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc
    .tuple(fc.double({ min: -2, max: 2, noNaN: true }), fc.integer({ min: -1074, max: 1022 }))
    .map(([fraction, exponent]) => fraction * 2 ** exponent),
  fc.integer({ min: -(2 ** 30), max: 2 ** 30 }).map((n) => n * 2 ** -1074),
  fc.constantFrom(1, -1, 2 ** 53, -(2 ** 53) + 1, Number.MAX_VALUE, -Number.MAX_VALUE),
);
/** Terms near one another, as the values of a batch are. */
const nearTerm = fc.double({ min: -1e6, max: 1e6, noNaN: true });

const termLists = fc.oneof(
  fc.array(anyTerm, { maxLength: 60 }),
  fc.array(nearTerm, { maxLength: 200 }),
);

describe('an exact sum', () => {
  it('does not depend on the order of the terms', () => {
    const shuffled = termLists.chain((terms) =>
      fc.tuple(
        fc.constant(terms),
        fc.shuffledSubarray(terms, { minLength: terms.length, maxLength: terms.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([terms, others]) => {
        expect(sumOf(others)).toBe(sumOf(terms));
        expect(sumOf([...terms].reverse())).toBe(sumOf(terms));
      }),
      { numRuns: 500 },
    );
  });

  it('does not depend on how the terms are split into merged sums', () => {
    const cuts = fc.array(fc.nat(1000), { maxLength: 8 });
    fc.assert(
      fc.property(termLists, cuts, (terms, where) => {
        expect(mergedSum(terms, where)).toBe(sumOf(terms));
      }),
      { numRuns: 500 },
    );
  });

  it('does not depend on the split after a merge either', () => {
    fc.assert(
      fc.property(termLists, termLists, termLists, (a, b, c) => {
        const pack = (terms: readonly number[], more?: Float64Array) => {
          const sum = new ExactSum();
          if (more) sum.merge(more, 0);
          for (const term of terms) sum.add(term);
          const out = new Float64Array(PACKED_SUM);
          sum.pack(out, 0);
          return out;
        };
        const chained = new ExactSum();
        chained.merge(pack(c, pack(b, pack(a))), 0);
        expect(chained.value()).toBe(sumOf([...a, ...b, ...c]));
      }),
      { numRuns: 200 },
    );
  });

  it('is the true sum to a unit in its last place, but for 2^-129 of the largest term', () => {
    fc.assert(
      fc.property(termLists, (terms) => {
        const exact = terms.reduce((sum, term) => sum + units(term), 0n);
        const largest = terms.reduce((most, term) => Math.max(most, Math.abs(term)), 0);
        fc.pre(abs(exact) < units(Number.MAX_VALUE));
        const lost = BigInt(terms.length) * ((units(largest) >> 129n) + 256n);
        expect(abs(units(sumOf(terms)) - exact)).toBeLessThanOrEqual((abs(exact) >> 51n) + lost);
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, number[], number]>([
    ['no terms', [], 0],
    ['zeros', [0, -0, 0], 0],
    ['terms that cancel', [1e300, 1, -1e300], 0],
    ['terms that cancel to a small rest', [2 ** 100, 3, -(2 ** 100)], 3],
    ['what naive sums lose', [1, 2 ** -53, 2 ** -53], 1 + 2 ** -52],
    ['digits that cancel on either side of a bin', [2 ** 26, 1 - 2 ** 26, 2 ** -30], 1 + 2 ** -30],
    [
      'a rest far below digits that cancel',
      [2 ** 52, -(2 ** 52) + 1, -1, 3 + 2 ** -40],
      3 + 2 ** -40,
    ],
    [
      'overflow on the way',
      [Number.MAX_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE],
      Number.MAX_VALUE,
    ],
    ['overflow at the end', [Number.MAX_VALUE, Number.MAX_VALUE], Number.POSITIVE_INFINITY],
    ['subnormals of 2^-1066 and more', [2 ** -1066, 2 ** -1066, 3 * 2 ** -1066], 5 * 2 ** -1066],
    ['the smallest normal number', [2 ** -1022, -(2 ** -1023)], 2 ** -1023],
    ['infinity', [1, Number.POSITIVE_INFINITY, -1e308], Number.POSITIVE_INFINITY],
    ['-infinity', [Number.NEGATIVE_INFINITY, 1], Number.NEGATIVE_INFINITY],
    ['both infinities', [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1], Number.NaN],
    ['NaN', [1, Number.NaN, 2], Number.NaN],
    ['NaN and infinity', [Number.POSITIVE_INFINITY, Number.NaN], Number.NaN],
  ])('of %s is right, however it is split', (_, terms, expected) => {
    expect(sumOf(terms)).toBe(expected);
    for (let cut = 0; cut <= terms.length; cut++) expect(mergedSum(terms, [cut])).toBe(expected);
  });

  it('of very many terms has room for its carries', () => {
    const sum = new ExactSum();
    for (let i = 0; i < 300_000; i++) sum.add(2 ** 26 - 2 ** -26);
    expect(sum.value()).toBe(300_000 * 2 ** 26 - 300_000 * 2 ** -26);
  });

  it('starts anew after clear', () => {
    const sum = new ExactSum();
    for (const term of [1e300, Number.NaN, 5]) sum.add(term);
    sum.clear();
    expect(sum.value()).toBe(0);
    sum.add(2 ** -1000);
    expect(sum.value()).toBe(2 ** -1000);
  });
});
