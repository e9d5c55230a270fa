/** Checks of the adapters on WebGPU. Tests run them on SwiftShader, `scripts/gpu.mjs` on a GPU. */

import assert from 'node:assert/strict';

export interface Check {
  /** A sentence. */
  readonly title: string;
  run(): Promise<void> | void;
}

/** Makes the value at the first call. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** An error that a call ended with, and the milliseconds until then. */
export interface Failure {
  name: string;
  message: string;
  ms: number;
}

/** Runs what must fail. */
export async function failureOf(run: () => unknown): Promise<Failure> {
  const start = performance.now();
  try {
    await run();
    return { name: 'None', message: 'there was no error', ms: performance.now() - start };
  } catch (error) {
    const { name, message } = error as Error;
    return { name, message, ms: performance.now() - start };
  }
}

/** A failure comes at once, not at a deadline. */
export const AT_ONCE = 5000;

export function assertFailure({ message, ms }: Failure, text: RegExp): void {
  assert.match(message, text);
  assert.ok(ms < AT_ONCE, `the error took ${ms} ms: ${message}`);
}

/** |actual - expected| <= tolerance * (1 + |expected|) in each element. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  assert.equal(actual.length, expected.length, `length of ${what}`);
  assert.ok(expected.length > 0, `${what} must have elements`);
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(actual[i] - expected[i]) / (1 + Math.abs(expected[i]));
    if (off <= tolerance) continue;
    assert.fail(`${what}: element ${i} is ${actual[i]}, expected ${expected[i]}, off by ${off}`);
  }
}

/** As {@link assertClose}, beside the largest expected value. */
export function assertCloseToLargest(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  const largest = Math.max(...Array.from(expected, Math.abs));
  assert.ok(largest > 0, `${what} must not be all 0`);
  const [own, others] = [actual, expected].map((v) => Float64Array.from(v, (x) => x / largest));
  assertClose(own, others, tolerance, what);
}
