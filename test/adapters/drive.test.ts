/** Steps that wait for arrays and for ranks, in both ways of waiting. */

import { init, numpy as np } from '@jax-js/jax';
import { beforeAll, describe, expect, test } from 'vitest';
import { read } from '../../src/adapters/jax/read.js';
import { drive, result, type Steps } from '../../src/adapters/shared/drive.js';

beforeAll(() => init('wasm'));

const finished = <T>(value: T) => ({ wait: () => value, done: () => Promise.resolve(value) });

function* sum(): Steps<number> {
  const [a, b] = yield* read(np.array(Float32Array.of(1, 2)));
  return a + b + (yield* result(finished(4)));
}

const failing = () => {
  const seen: string[] = [];
  function* steps(): Steps<number> {
    try {
      yield* result({
        wait: () => {
          throw new Error('peer gone');
        },
        done: () => Promise.reject(new Error('peer gone')),
      });
      return 0;
    } finally {
      seen.push('cleaned');
    }
  }
  return { work: drive(steps()), seen };
};

describe('a step', () => {
  test('gives its result to wait and to done, as often as asked', async () => {
    const work = drive(sum());
    expect(work.wait()).toBe(7);
    expect(work.wait()).toBe(7);
    expect(await work.done()).toBe(7);
    expect(await drive(sum()).done()).toBe(7);
  });

  test('cannot be waited for while it is awaited', async () => {
    const work = drive(sum());
    const promise = work.done();
    expect(() => work.wait()).toThrow(/done\(\) was called before/);
    expect(await promise).toBe(7);
    expect(work.wait()).toBe(7);
  });

  test('cleans up once when it fails, and fails the same way again', async () => {
    const { work, seen } = failing();
    expect(() => work.wait()).toThrow('peer gone');
    expect(() => work.wait()).toThrow('peer gone');
    expect(seen).toEqual(['cleaned']);
    const later = failing();
    await expect(later.work.done()).rejects.toThrow('peer gone');
    expect(later.seen).toEqual(['cleaned']);
  });

  test('refuses to block on webgpu, and frees the array', () => {
    let disposed = 0;
    const onGpu = { shape: [1], device: 'webgpu', dispose: () => disposed++ };
    const work = drive(read(onGpu as unknown as np.Array));
    expect(() => work.wait()).toThrow(/webgpu.*await done\(\)/);
    expect(disposed).toBe(1);
  });
});
