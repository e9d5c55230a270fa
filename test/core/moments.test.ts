import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  combine,
  emptyMoments,
  type Moments,
  mergeRanks,
  packedLength,
  viewPacked,
} from '../../src/core/moments.js';
import { expectClose } from '../harness/numbers.js';

const CHANNELS = 2;

/** Two passes over rows of one value a channel. */
function twoPass(rows: readonly number[][]): Moments {
  const indices = Array.from({ length: CHANNELS }, (_, c) => c);
  const mean = indices.map((c) =>
    rows.length === 0 ? 0 : rows.reduce((sum, row) => sum + row[c], 0) / rows.length,
  );
  const m2 = indices.map((c) => rows.reduce((sum, row) => sum + (row[c] - mean[c]) ** 2, 0));
  return { count: rows.length, mean: Float64Array.from(mean), m2: Float64Array.from(m2) };
}

const copy = ({ count, mean, m2 }: Moments) => ({ count, mean: mean.slice(), m2: m2.slice() });

function merged(...parts: Moments[]): Moments {
  const into = copy(parts[0]);
  for (const part of parts.slice(1)) combine(into, part);
  return into;
}

function expectMoments(actual: Moments, expected: Moments, scale: number): void {
  expect(actual.count).toBe(expected.count);
  expectClose(actual.mean, expected.mean, 1e-13 * scale);
  expectClose(actual.m2, expected.m2, 1e-12 * scale * scale);
}

const value = fc.double({ min: -50, max: 50, noNaN: true });
const rows = fc.array(fc.array(value, { minLength: CHANNELS, maxLength: CHANNELS }), {
  maxLength: 20,
});
const shifted = fc
  .tuple(rows, rows, rows, fc.constantFrom(0, 1e4, -1e6))
  .map(([a, b, c, shift]) => ({
    sets: [a, b, c].map((set) => set.map((row) => row.map((x) => x + shift))),
    scale: Math.max(1, Math.abs(shift)) * 10,
  }));

describe('the merge of moments', () => {
  it('equals two passes over all values', () => {
    fc.assert(
      fc.property(shifted, ({ sets, scale }) => {
        expectMoments(merged(...sets.map(twoPass)), twoPass(sets.flat()), scale);
      }),
    );
  });

  it('has no values as its identity, to the bit, on either side', () => {
    fc.assert(
      fc.property(rows, (set) => {
        const moments = twoPass(set);
        expect(merged(moments, emptyMoments(CHANNELS))).toEqual(moments);
        expect(merged(emptyMoments(CHANNELS), moments)).toEqual(moments);
      }),
    );
  });

  it('is associative and commutative up to rounding', () => {
    fc.assert(
      fc.property(shifted, ({ sets, scale }) => {
        const [a, b, c] = sets.map(twoPass);
        expectMoments(merged(a, merged(b, c)), merged(merged(a, b), c), scale);
        expectMoments(merged(a, b), merged(b, a), scale);
      }),
    );
  });

  it('leaves the other side as it was', () => {
    const other = twoPass([[3, 4]]);
    const before = copy(other);
    const into = twoPass([[1, 2]]);
    combine(into, other);
    expect(other).toEqual(before);
    expect(into).toEqual({ count: 2, mean: Float64Array.of(2, 3), m2: Float64Array.of(2, 2) });
    combine(into, into.count === 2 ? emptyMoments(CHANNELS) : other);
    expect(into.count).toBe(2);
  });

  it('keeps the largest means without a NaN where one side is empty', () => {
    const huge = { count: 5, mean: Float64Array.of(1e200, -1e300), m2: Float64Array.of(0, 1) };
    expect(merged(emptyMoments(CHANNELS), huge)).toEqual(huge);
    expect(merged(huge, emptyMoments(CHANNELS))).toEqual(huge);
  });

  it('overflows to infinity, and lets NaN through', () => {
    const far = (x: number) => ({ count: 1, mean: Float64Array.of(x, x), m2: new Float64Array(2) });
    expect([...merged(far(1e200), far(-1e200)).m2]).toEqual([
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
    expect([...merged(far(1e200), far(-1e200)).mean]).toEqual([0, 0]);
    expect([...merged(far(1), far(Number.NaN)).mean]).toEqual([Number.NaN, Number.NaN]);
    expect([...merged(far(Number.NaN), far(1)).m2]).toEqual([Number.NaN, Number.NaN]);
  });

  it('keeps variances of 0 at 0: equal values have none, whatever the split', () => {
    const same = [[0.1, 1e9 + 0.1]];
    const parts = Array.from({ length: 7 }, () => twoPass(same));
    expect([...merged(...parts).m2]).toEqual([0, 0]);
    expect([...merged(...parts).mean]).toEqual(same[0]);
  });
});

describe('packed moments', () => {
  it('view the packing: count, means, M2', () => {
    const packed = Float64Array.of(3, 1, 2, 10, 20);
    expect(packedLength(CHANNELS)).toBe(packed.length);
    const view = viewPacked(packed, CHANNELS);
    expect(view).toEqual({ count: 3, mean: Float64Array.of(1, 2), m2: Float64Array.of(10, 20) });
    view.mean[1] = 7;
    view.m2[0] = 8;
    expect([...packed]).toEqual([3, 1, 7, 8, 20]);
  });

  it('of ranks are merged in rank order', () => {
    fc.assert(
      fc.property(fc.array(rows, { minLength: 1, maxLength: 7 }), (sets) => {
        const parts = sets.map(twoPass);
        const gathered = Float64Array.from(parts.flatMap((p) => [p.count, ...p.mean, ...p.m2]));
        const before = gathered.slice();
        expect(mergeRanks(gathered, packedLength(CHANNELS), sets.length, CHANNELS)).toEqual(
          merged(emptyMoments(CHANNELS), ...parts),
        );
        expect(gathered).toEqual(before);
      }),
    );
  });
});
