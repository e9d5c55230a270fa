/** What a call under test is, and what all of them share. */

import type fc from 'fast-check';
import { Tensor } from 'syncbn';
import type { Judged } from './judge.js';
import { plain, type Recipe, recipe } from './odd.js';

/** A public call, and arguments for it. */
export interface Call extends Judged {
  readonly name: string;
  readonly args: fc.Arbitrary<readonly Recipe[]>;
  /** Of the runs that the other calls have; for those that start threads. Default 1. */
  readonly share?: number;
  run(...args: never[]): unknown;
}

export const DTYPES = ['float32', 'float64', 'float16', 'bfloat16'].map(plain);
export const SHAPES = [[], [2], [2, 2], [0, 3], [2, 1, 2]].map((shape) =>
  recipe(JSON.stringify(shape), () => [...shape]),
);

/** A tensor whose shape, dtype and data agree. */
export function checkTensor(value: unknown): string | null {
  if (!(value instanceof Tensor)) return 'the result is no Tensor';
  const { shape, data } = value;
  const odd = shape.find((size) => !Number.isInteger(size) || size < 0 || Object.is(size, -0));
  if (odd !== undefined) return `shape [${shape.map(String).join(', ')}]`;
  const size = shape.reduce((product, length) => product * length, 1);
  return size === data.length ? null : `shape [${shape}] with ${data.length} elements`;
}
