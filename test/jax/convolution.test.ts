/** convolve and maxPool against jax-js' own operations, values and gradients. */

import { init, jit, lax, numpy as np, tree, valueAndGrad } from '@jax-js/jax';
import { convolve, maxPool, type Padding } from 'syncbn/jax';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../harness/numbers.js';
import { liveArrayCounter } from './live-arrays.js';
import { randomArray } from './parts.js';

beforeAll(() => init('wasm'));

/** The built-in convolution, which takes channels first and kernels (O, C, k, k). */
function builtIn(x: np.Array, kernel: np.Array, padding: Padding): np.Array {
  const border = padding === 'same' ? 'SAME' : 'VALID';
  return lax
    .convGeneralDilated(x.transpose([0, 3, 1, 2]), kernel.transpose([3, 2, 0, 1]), [1, 1], border)
    .transpose([0, 2, 3, 1]);
}

type Image = (x: np.Array, kernel: np.Array) => np.Array;

/** A sum that weighs every output differently, and its gradients by image and kernel. */
function sumAndGradients(f: Image, shapes: [number[], number[]]): number[][] {
  const weighted = (x: np.Array, kernel: np.Array) => {
    const y = f(x, kernel);
    return np.sum(np.sin(y.ref).mul(np.arange(y.size).astype(np.float32).reshape(y.shape)));
  };
  const both = jit(valueAndGrad(weighted, { argnums: [0, 1] }));
  const [sum, [dx, dkernel]] = both(randomArray(shapes[0], 1), randomArray(shapes[1], 2));
  return [[sum.item()], ...[dx, dkernel].map((array) => [...array.dataSync()])];
}

describe.each([
  { x: [2, 6, 5, 3], kernel: [3, 3, 3, 4] },
  { x: [1, 7, 7, 2], kernel: [5, 5, 2, 3] },
  { x: [3, 4, 6, 5], kernel: [1, 1, 5, 2] },
  { x: [2, 3, 3, 1], kernel: [3, 3, 1, 1] },
])('convolve of $x by $kernel', ({ x, kernel }) => {
  test.each(['same', 'valid'] as const)('with %s padding', (padding) => {
    const image = () => randomArray(x, 3);
    const filters = () => randomArray(kernel, 4);
    const ours = convolve(image(), filters(), padding);
    const theirs = builtIn(image(), filters(), padding);
    expect(ours.shape).toEqual(theirs.shape);
    expectClose(ours.dataSync(), theirs.dataSync(), 2e-6);
    const shapes: [number[], number[]] = [x, kernel];
    const actual = sumAndGradients((a, b) => convolve(a, b, padding), shapes);
    const expected = sumAndGradients((a, b) => builtIn(a, b, padding), shapes);
    actual.forEach((values, i) => {
      const scale = Math.max(...expected[i].map(Math.abs));
      expectClose(
        values.map((v) => v / scale),
        expected[i].map((v) => v / scale),
        2e-6,
      );
    });
  });
});

test.each([2, 3])('maxPool takes the largest of windows of %i', (size) => {
  const x = () => randomArray([2, 6, 12, 3], 5);
  const theirs = lax
    .reduceWindow(x().transpose([0, 3, 1, 2]), np.max, [size, size], [size, size])
    .transpose([0, 2, 3, 1]);
  const ours = maxPool(x(), size);
  expect(ours.shape).toEqual([2, 6 / size, 12 / size, 3]);
  expect([...ours.dataSync()]).toEqual([...theirs.dataSync()]);
});

test('both free all that they make, outside jit too', () => {
  const count = liveArrayCounter();
  const before = count();
  for (let i = 0; i < 3; i++) {
    maxPool(convolve(randomArray([2, 4, 4, 2], 1), randomArray([3, 3, 2, 3], 2))).dataSync();
  }
  expect(count()).toBe(before);
});

test.each([
  [
    'an even kernel',
    [1, 4, 4, 2],
    [2, 2, 2, 3],
    /kernel \(k, k, C, O\) with k odd.*\(2, 2, 2, 3\)/,
  ],
  ['an oblong kernel', [1, 4, 4, 2], [3, 1, 2, 3], /k odd.*\(3, 1, 2, 3\)/],
  ['other channels', [1, 4, 4, 5], [3, 3, 2, 3], /\(N, H, W, 2\).*\(1, 4, 4, 5\)/],
  ['no image', [4, 4], [3, 3, 4, 3], /\(N, H, W, 4\).*\(4, 4\)/],
] as const)('convolve refuses %s', (_, x, kernel, message) => {
  const arrays = [randomArray([...x], 1), randomArray([...kernel], 2)];
  expect(() => convolve(arrays[0], arrays[1])).toThrow(message);
  tree.dispose(arrays);
});

test('convolve refuses unknown padding and images smaller than the kernel', () => {
  const x = randomArray([1, 2, 2, 1], 1);
  const kernel = randomArray([3, 3, 1, 1], 2);
  expect(() => convolve(x, kernel, 'full' as Padding)).toThrow(/same or valid, got 'full'/);
  expect(() => convolve(x, kernel, 'valid')).toThrow(/larger than \(1, 2, 2, 1\)/);
  tree.dispose([x, kernel]);
});

test('maxPool refuses sizes that do not divide', () => {
  const x = randomArray([1, 5, 4, 1], 1);
  expect(() => maxPool(x)).toThrow(/multiples of 2, got \(1, 5, 4, 1\)/);
  x.dispose();
});
