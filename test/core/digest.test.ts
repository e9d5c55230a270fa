import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf, digestOfText } from '../../src/core/digest.js';

test('equal bits have equal digests, wherever they lie', () => {
  const numbers = Float64Array.of(1, -0, Number.NaN, 3);
  const bytes = new Uint8Array(100);
  bytes.set(new Uint8Array(numbers.buffer), 8);
  expect(digestOf(new Float64Array(bytes.buffer, 8, 4))).toBe(digestOf(numbers));
});

test('a bit that differs makes another digest', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 70 }), fc.nat(), (bytes, at) => {
      const other = bytes.slice();
      other[at % bytes.length] ^= 1 << (at % 8);
      return digestOf(other) !== digestOf(bytes);
    }),
    { numRuns: 2000, seed: 1 },
  );
});

test.each<[string, ArrayBufferView, ArrayBufferView]>([
  ['0 and -0', Float32Array.of(0), Float32Array.of(-0)],
  ['an order and another', Float32Array.of(1, 2), Float32Array.of(2, 1)],
  ['a zero more and none', new Float32Array(2), new Float32Array(3)],
  ['odd numbers of 16-bit elements', Uint16Array.of(1, 2, 3), Uint16Array.of(1, 2, 4)],
  ['views off the words', new Uint16Array(Uint16Array.of(0, 1, 2).buffer, 2), Uint16Array.of(1, 3)],
])('%s differ', (_, a, b) => {
  expect(digestOf(a)).not.toBe(digestOf(b));
});

test('texts differ by their digests', () => {
  const texts = ['', 'a', 'b', 'ab', 'ba', 'running', 'runninG', 'é'];
  expect(new Set(texts.map(digestOfText)).size).toBe(texts.length);
});
