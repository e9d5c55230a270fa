/** Comparisons of long lists of numbers, which say where they differ first. */

import { expect } from 'vitest';

/** Same length, and the same bits in each element; -0 is not 0, and NaN is NaN. */
export function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  expectEach(actual, expected, Object.is);
}

/** |actual - expected| <= tolerance * (1 + |expected|) in each element; NaN wants NaN. */
export function expectClose(
  actual: ArrayLike<number> | undefined,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  expect(actual?.length).toBe(expected.length);
  expectEach(
    actual!,
    expected,
    (a, e) => Object.is(a, e) || Math.abs(a - e) <= tolerance * (1 + Math.abs(e)),
  );
}

function expectEach(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  agrees: (a: number, e: number) => boolean,
): void {
  for (let i = 0; i < expected.length; i++) {
    if (agrees(actual[i], expected[i])) continue;
    expect({ index: i, value: actual[i] }).toEqual({ index: i, value: expected[i] });
    expect.unreachable(`element ${i} is ${actual[i]}, expected ${expected[i]}`);
  }
}
