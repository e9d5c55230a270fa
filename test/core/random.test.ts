import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.js';

const MASK = 0xffffffffn;
const multiply = (a: bigint, b: bigint) => (a * b) & MASK;
const rotate = (a: bigint, k: bigint) => ((a << k) | (a >> (32n - k))) & MASK;

/** xoshiro128** on a state from SplitMix32, from their papers, in whole numbers. */
function* reference(seed: number): Generator<number> {
  let mix = BigInt.asUintN(32, BigInt(seed));
  const s = Array.from({ length: 4 }, () => {
    mix = (mix + 0x9e3779b9n) & MASK;
    let z = multiply(mix ^ (mix >> 16n), 0x21f0aaadn);
    z = multiply(z ^ (z >> 15n), 0x735a2d97n);
    return z ^ (z >> 15n);
  });
  for (;;) {
    yield Number(multiply(rotate(multiply(s[1], 5n), 7n), 9n)) / 2 ** 32;
    const shifted = (s[1] << 9n) & MASK;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 11n);
  }
}

const draw = (count: number, next: () => number) => Array.from({ length: count }, next);

describe('Random', () => {
  it('is xoshiro128** for every seed', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Random(seed);
        const expected = reference(seed);
        for (let i = 0; i < 20; i++) expect(random.uniform()).toBe(expected.next().value);
      }),
    );
  });

  it('takes the lower 32 bits of a seed', () => {
    expect(new Random(2 ** 32 + 5).uniform()).toBe(new Random(5).uniform());
    expect(new Random(-1).uniform()).toBe(new Random(2 ** 32 - 1).uniform());
  });

  it('draws uniform numbers in [0, 1) with the right mean and variance', () => {
    const random = new Random(1);
    const values = draw(100_000, () => random.uniform());
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.004);
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.002);
  });

  it('draws normal numbers with the moments and the tails of the bell curve', () => {
    const random = new Random(2);
    const values = draw(100_000, () => random.normal());
    const moment = (k: number) =>
      values.reduce((sum, value) => sum + value ** k, 0) / values.length;
    expect(Math.abs(moment(1))).toBeLessThan(0.015);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.02);
    expect(Math.abs(moment(3))).toBeLessThan(0.05);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.15);
    const within = values.filter((value) => Math.abs(value) < 1.96).length / values.length;
    expect(Math.abs(within - 0.95)).toBeLessThan(0.004);
    // Both numbers of a pair of the polar method: neighbours do not go together.
    const products = values.slice(1).map((value, i) => value * values[i]);
    expect(Math.abs(products.reduce((sum, p) => sum + p, 0) / products.length)).toBeLessThan(0.015);
  });
});
