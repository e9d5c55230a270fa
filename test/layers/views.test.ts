/** Views of tensors in the kernels' memory, after everything else of the tensor is gone. */

import { deepStrictEqual } from 'node:assert';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { allocateTensor, init, SyncBatchNorm, Tensor } from 'syncbn';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { defaultKernels } from '../../src/kernels/select.js';
import type { WasmKernels } from '../../src/kernels/wasm/kernels.js';

setFlagsFromString('--expose-gc');
const collectNow = runInNewContext('gc') as () => void;

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
const { heap } = defaultKernels() as WasmKernels;
const LENGTH = 1000;

/** Collects until `isDone`, at most for a while: callbacks of the collector come later. */
async function collectUntil(isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !isDone(); i++) {
    collectNow();
    await turn();
  }
}

/** Bytes in use while nothing of these tests is. */
let before = 0;

beforeAll(() => init());
beforeEach(async () => {
  // What earlier tests have pinned stays; the rest is gone by now.
  for (let i = 0; i < 3; i++) {
    collectNow();
    await turn();
  }
  before = heap.bytesInUse;
});

function filled(value: number): Tensor {
  const tensor = allocateTensor([LENGTH]);
  tensor.data.fill(value);
  return tensor;
}

/** Whatever memory was given back by now holds 99 afterwards. */
async function reuseMemory(): Promise<void> {
  // A first one, to see when the collector has been through.
  filled(0);
  const waiting = heap.bytesInUse;
  await collectUntil(() => heap.bytesInUse < waiting);
  for (const tensor of Array.from({ length: 20 }, () => filled(99))) tensor.dispose();
}

describe('a view shows the numbers of its tensor when all else of the tensor is gone', () => {
  test.each<[string, (tensor: Tensor) => ArrayLike<number>]>([
    ['data', ({ data }) => data],
    ['data.subarray()', ({ data }) => data.subarray(10, 20)],
    ['a view of a view', ({ data }) => data.subarray(10).subarray(5, 8)],
    ['the data of a reshape', (tensor) => tensor.reshape([10, 100]).data.subarray(3)],
    ['a tensor of a view', ({ data }) => Tensor.from(data.subarray(0, 9)).data],
    [
      'an array of the buffer',
      ({ data }) => new Float32Array(data.buffer, data.byteOffset, LENGTH),
    ],
    [
      'an array of a view’s buffer',
      ({ data }) => {
        const view = data.subarray(2);
        return new Float32Array(view.buffer, view.byteOffset, 9);
      },
    ],
  ])('%s', async (_, cut) => {
    const view = (() => cut(filled(7)))();
    await reuseMemory();
    expect(new Set(Array.from(view))).toEqual(new Set([7]));
  });

  test('bytes that are written later', async () => {
    const bytes = (() => {
      const { data } = filled(1);
      return Buffer.from(data.buffer as unknown as ArrayBuffer, data.byteOffset, data.byteLength);
    })();
    await reuseMemory();
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4 * LENGTH - 4)]).toEqual([1, 1]);
  });

  test('a view of a parameter whose layer is gone', async () => {
    const view = (() => new SyncBatchNorm(LENGTH).weight.data.data.subarray(5))();
    await reuseMemory();
    expect(new Set(view)).toEqual(new Set([1]));
  });
});

describe('memory returns', () => {
  test('when a tensor and its views are gone', async () => {
    (() => filled(7).data.subarray(1).subarray(2))();
    expect(heap.bytesInUse).toBe(before + 4 * LENGTH);
    await collectUntil(() => heap.bytesInUse === before);
    expect(heap.bytesInUse).toBe(before);
  });

  test('by dispose, also when the buffer was asked for', () => {
    const tensor = filled(7);
    expect(tensor.data.buffer.byteLength).toBeGreaterThan(4 * LENGTH);
    tensor.reshape([10, 100]).dispose();
    expect(heap.bytesInUse).toBe(before);
    expect(() => tensor.data).toThrow(/was disposed/);
  });

  test('in a loop that disposes nothing, as long as it waits now and then', async () => {
    const bn = new SyncBatchNorm(16);
    let most = 0;
    for (let step = 0; step < 1500; step++) {
      const x = allocateTensor([64, 16, 256]);
      x.data[0] = step;
      if (step % 50 === 0) bn.backward(bn.forward(x));
      most = Math.max(most, heap.bytesInUse);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // 1.5 GiB in all. Most of it is let go between two collections.
    expect(most).toBeLessThan(512 * 2 ** 20);
  });
});

test('a reshape of a tensor that was disposed is caught, in forward and backward', () => {
  const layer = new SyncBatchNorm(10, { name: 'bn' });
  const tensor = filled(7);
  const dy = Tensor.ones([100, 10]);
  layer.forward(tensor.reshape([100, 10]));
  const other = tensor.reshape([100, 10]);
  tensor.dispose();
  const text = /^Tensor: this tensor of shape \(100, 10\) was disposed$/;
  expect(() => layer.backward(dy)).toThrow(text);
  expect(() => layer.forward(other)).toThrow(text);
});

test('nothing of this shows: arrays compare, print and copy as arrays', () => {
  const { data } = filled(7);
  deepStrictEqual(data, new Float32Array(LENGTH).fill(7));
  expect(Object.keys(data.subarray(0, 2))).toEqual(['0', '1']);
  expect(data.constructor).toBe(Float32Array);
  expect(structuredClone(data.subarray(0, 2))).toEqual(new Float32Array([7, 7]));
  expect(data.slice(0, 2).buffer.byteLength).toBe(8);
});
