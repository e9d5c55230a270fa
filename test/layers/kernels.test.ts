/** Layers on kernels that are handed in, side by side in one process. */

import { allocateTensor, init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainKernels } from '../../src/kernels/plain.js';
import { createEngine } from '../../src/kernels/wasm/engine.js';
import { WasmKernels } from '../../src/kernels/wasm/kernels.js';
import { currentKernels, withKernels } from '../../src/ops/kernels.js';
import { noise, partOf } from '../harness/layers.js';
import { expectClose } from '../harness/numbers.js';
import { oracle } from '../harness/oracle.js';

beforeAll(() => init());
afterAll(release);

const wasm = () => new WasmKernels(createEngine({ maxPages: 64 }));
const SHAPE = [4, 3, 5, 2];
const [x, dy] = [noise(SHAPE, 1, 4), noise(SHAPE, 2)];
const expected = oracle([partOf(x, dy)], {
  channels: 3,
  channelsLast: false,
  eps: 1e-5,
  weight: [1, 1, 1],
  bias: [0, 0, 0],
}).ranks[0];

describe('kernels that are handed in', () => {
  it.each([false, true])('serve their layers in turns (reproducible %s)', (reproducible) => {
    const [first, second] = [wasm(), wasm()];
    const layers = [first, plainKernels, second].map((kernels) =>
      withKernels(kernels, () => new SyncBatchNorm(3, { reproducible })),
    );
    const used = () => [first, second].map(({ heap }) => heap.bytesInUse);
    expect(layers[0].weight!.data.data.buffer).toBe(first.heap.memory.buffer);
    expect(layers[1].weight!.data.data.buffer).toBeInstanceOf(ArrayBuffer);
    expect(layers[2].runningMean!.data.buffer).toBe(second.heap.memory.buffer);
    let before: number[] = [];
    for (let step = 0; step < 3; step++) {
      for (const layer of layers) {
        expectClose(layer.forward(Tensor.from(x.values, SHAPE)).data, expected.y, 1e-6);
      }
      for (const layer of layers) {
        expectClose(layer.backward(Tensor.from(dy.values, SHAPE)).data, expected.dx, 1e-6);
        expectClose(layer.weight!.grad!.data, expected.dweight, 1e-5);
      }
      if (step === 0) before = used();
    }
    // Each has its own memory, and none of it is taken anew when another one's turn is over.
    expect(used()).toEqual(before);
    for (const layer of layers) {
      for (const [name, { data }] of Object.entries(layer.stateDict())) {
        expectClose(data, layers[0].stateDict()[name].data, 1e-6);
      }
    }
  });

  it('hold the tensors that are made meanwhile, and no other one', () => {
    const kernels = wasm();
    const before = currentKernels();
    const tensor = withKernels(kernels, () => allocateTensor([3]));
    expect(kernels.heap.owns(tensor.data as Float32Array)).toBe(true);
    expect(() =>
      withKernels(kernels, () => {
        throw new Error('made nothing');
      }),
    ).toThrow('made nothing');
    expect(currentKernels()).toBe(before);
    tensor.dispose();
    expect(kernels.heap.bytesInUse).toBe(0);
  });
});
