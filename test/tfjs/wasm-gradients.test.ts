/** Gradient kernels of the wasm backend against those of the cpu backend, configuration by configuration. */

import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { registerWasmGradients } from 'syncbn/tfjs/wasm-gradients';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

type Pad = 'same' | 'valid' | number | [[0, 0], [number, number], [number, number], [0, 0]];
type Strides = number | [number, number];
type Tensors = tf.Tensor[];

let undo: () => void;

beforeAll(async () => {
  // Before the backend is set up: its own kernels, which ours fall back to, are set up all the same.
  undo = registerWasmGradients();
  await tf.setBackend('wasm');
});

afterAll(() => undo());

/** Largest difference between the backends' results, relative to the largest value of each. */
async function worstDifference(f: (inputs: Tensors) => Tensors, inputs: Tensors): Promise<number> {
  const results: Float32Array[][] = [];
  for (const backend of ['cpu', 'wasm']) {
    await tf.setBackend(backend);
    // Results are moved to the backend at their first use.
    for (const input of inputs) tf.tidy(() => tf.add(input, 0));
    const before = [tf.memory().numTensors, tf.backend().numDataIds()];
    const gradients = f(inputs);
    results.push(gradients.map((gradient) => gradient.dataSync().slice() as Float32Array));
    tf.dispose(gradients);
    expect([tf.memory().numTensors, tf.backend().numDataIds()], backend).toEqual(before);
  }
  tf.dispose(inputs);
  const [expected, actual] = results;
  return Math.max(...expected.map((values, i) => difference(actual[i], values)));
}

function difference(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  let worst = 0;
  expected.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value));
    worst = Math.max(worst, Math.abs(actual[i] - value));
  });
  // NaN passes no comparison.
  return worst / (largest || 1);
}

let seed = 0;
const random = (...shape: number[]) => tf.randomNormal(shape, 0, 1, 'float32', ++seed);

/** Gradients of the sum of squares of `f`, by all inputs. */
const gradientsOf = (f: (...inputs: Tensors) => tf.Tensor) => (inputs: Tensors) =>
  tf.grads((...given: Tensors) => tf.sum(tf.square(f(...given))) as tf.Scalar)(inputs);

const PADS: Pad[] = [
  'same',
  'valid',
  1,
  [
    [0, 0],
    [2, 1],
    [0, 1],
    [0, 0],
  ],
];
const FILTERS = [
  [1, 1],
  [2, 2],
  [3, 3],
  [5, 3],
  [4, 1],
];
const STRIDES: Strides[] = [1, 2, 3, [2, 1]];
const SIZES = [
  [7, 9],
  [8, 8],
];

interface Configuration {
  pad: Pad;
  filter: number[];
  strides: Strides;
  size: number[];
  depthwise: boolean;
}

/** Whether TensorFlow.js' own forward pass on wasm gives this configuration the right result. */
function isSound({ pad, filter: [height, width], strides, depthwise }: Configuration): boolean {
  const [down, along] = [strides].flat().length === 2 ? (strides as number[]) : [strides, strides];
  if (pad === 'same') {
    // Wrong on wasm where the strides leave pixels out.
    return (height >= (down as number) && width >= (along as number)) || height * width === 1;
  }
  if (pad === 'valid') return true;
  if (height < 3 || width < 3) return false;
  // Padding by a number corrupts wasm's memory with oblong filters and with unequal strides.
  if (typeof pad === 'number') return height === width && down === along;
  return !depthwise;
}

const CONFIGURATIONS = PADS.flatMap((pad) =>
  FILTERS.flatMap((filter) =>
    STRIDES.flatMap((strides) =>
      SIZES.flatMap((size) =>
        [false, true].map((depthwise) => ({ pad, filter, strides, size, depthwise })),
      ),
    ),
  ),
).filter(isSound);

function convolve({ pad, strides, depthwise }: Configuration) {
  const rounding = typeof pad === 'string' ? undefined : 'floor';
  return (x: tf.Tensor, filter: tf.Tensor) => {
    const of = depthwise ? tf.depthwiseConv2d : tf.conv2d;
    const [images, kernel] = [x as tf.Tensor4D, filter as tf.Tensor4D];
    return of(images, kernel, strides, pad as 'same', 'NHWC', 1, rounding);
  };
}

describe('gradients of convolutions on wasm', () => {
  it('are tried in more than 150 configurations', () => {
    expect(CONFIGURATIONS.length).toBeGreaterThan(150);
  });

  for (const pad of PADS) {
    for (const depthwise of [false, true]) {
      const own = CONFIGURATIONS.filter((c) => c.pad === pad && c.depthwise === depthwise);
      if (own.length === 0) continue;
      const kind = depthwise ? 'depthwise' : 'plain';
      it(`equal those of cpu: ${kind}, padding ${JSON.stringify(pad)}`, async () => {
        for (const configuration of own) {
          const { filter, size } = configuration;
          const inputs = [random(3, ...size, 2), random(...filter, 2, depthwise ? 2 : 4)];
          const worst = await worstDifference(gradientsOf(convolve(configuration)), inputs);
          expect(worst, JSON.stringify(configuration)).toBeLessThan(1e-5);
        }
      });
    }
  }

  it.each<[string, (...inputs: Tensors) => tf.Tensor, number[][]]>([
    [
      'a transposed convolution',
      (x, f) => tf.conv2dTranspose(x as tf.Tensor4D, f as tf.Tensor4D, [3, 16, 16, 4], 2, 'same'),
      [
        [3, 8, 8, 2],
        [3, 3, 4, 2],
      ],
    ],
    [
      'a convolution over one axis',
      (x, f) => tf.conv1d(x as tf.Tensor3D, f as tf.Tensor3D, 2, 'same'),
      [
        [3, 9, 2],
        [3, 2, 4],
      ],
    ],
    [
      'a separable convolution',
      (x, d, p) =>
        tf.separableConv2d(x as tf.Tensor4D, d as tf.Tensor4D, p as tf.Tensor4D, 1, 'same'),
      [
        [2, 6, 7, 3],
        [3, 3, 3, 1],
        [1, 1, 3, 5],
      ],
    ],
    [
      'a depthwise convolution of one filter a channel',
      (x, f) => tf.depthwiseConv2d(x as tf.Tensor4D, f as tf.Tensor4D, 2, 'same'),
      [
        [2, 9, 8, 5],
        [3, 3, 5, 1],
      ],
    ],
  ])('equal those of cpu for %s', async (_, f, shapes) => {
    const inputs = shapes.map((shape) => random(...shape));
    expect(await worstDifference(gradientsOf(f), inputs)).toBeLessThan(1e-5);
  });

  it('name the kernel that refuses NCHW', async () => {
    await tf.setBackend('wasm');
    const x = random(1, 2, 5, 5) as tf.Tensor4D;
    const dy = random(1, 4, 3, 3) as tf.Tensor4D;
    const attributes = { strides: 1, pad: 'valid', dataFormat: 'NCHW', filterShape: [3, 3, 2, 4] };
    const run = () => tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, attributes);
    expect(run).toThrow(/Conv2DBackpropFilter: wasm takes NHWC only, got NCHW/);
    tf.dispose([x, dy]);
  });
});

describe('other gradients on wasm', () => {
  const batches = [[], [1], [2], [2, 3]];
  const operands = [false, true].flatMap((a) => [false, true].map((b) => [a, b]));

  it.each(operands)(
    'equal those of cpu for products of matrices, transposed %s and %s',
    async (a, b) => {
      for (const batch of batches) {
        const left = random(...batch, ...(a ? [5, 4] : [4, 5]));
        const right = random(...batch, ...(b ? [6, 5] : [5, 6]));
        const product = gradientsOf((p, q) => tf.matMul(p, q, a, b));
        const worst = await worstDifference(product, [left, right]);
        expect(worst, `batch ${batch}`).toBeLessThan(1e-5);
      }
    },
  );

  it('leave a transposed product with broadcasting to the backend', async () => {
    const worst = await worstDifference(
      ([a, b]) => [tf.matMul(a, b, false, true)],
      [random(2, 3, 4), random(1, 5, 4)],
    );
    expect(worst).toBeLessThan(1e-5);
  });

  it.each<[Pad, number, Strides]>([
    ['valid', 2, 2],
    ['same', 3, 2],
    ['same', 2, 1],
    ['valid', 3, [1, 2]],
    [1, 3, 2],
  ])(
    'equal those of cpu for max pooling, padding %s, %s windows, strides %s',
    async (pad, size, strides) => {
      const pool = (x: tf.Tensor) =>
        tf.maxPool(x as tf.Tensor4D, size, strides, pad as 'same', pad === 1 ? 'floor' : undefined);
      expect(await worstDifference(gradientsOf(pool), [random(2, 7, 8, 3)])).toBeLessThan(1e-5);
      // Of equal values the first one gets all: half of these are 0.
      const flat = gradientsOf((x) => pool(tf.relu(x)));
      expect(await worstDifference(flat, [random(2, 7, 8, 3)])).toBeLessThan(1e-5);
    },
  );

  it('equal those of cpu for gather, with ids that repeat and rows that no id names', async () => {
    const ids = () => tf.tensor2d([0, 2, 2, 1], [2, 2], 'int32');
    const gather = (x: Tensors) => tf.tidy(() => gradientsOf((rows) => tf.gather(rows, ids()))(x));
    expect(await worstDifference(gather, [random(4, 3)])).toBeLessThan(1e-5);
    expect(await worstDifference(gather, [random(5, 2, 3)])).toBeLessThan(1e-5);
  });

  it('leave rows out whose segment is below 0 or too large', async () => {
    await tf.setBackend('wasm');
    const ids = tf.tensor1d([0, -1, 7, 1], 'int32');
    const x = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]);
    const sums = tf.unsortedSegmentSum(x, ids, 2);
    expect(Array.from(sums.dataSync())).toEqual([1, 2, 7, 8]);
    tf.dispose([ids, x, sums]);
  });
});

describe('registerWasmGradients', () => {
  beforeEach(() => tf.setBackend('wasm'));

  const kernel = (name: string) => tf.getKernel(name, 'wasm');
  const names = ['Conv2DBackpropFilter', 'Conv2DBackpropInput', 'BatchMatMul', 'MaxPoolGrad'];

  it('puts the own kernels back when it is undone, and can be called again', () => {
    const ours = names.map(kernel);
    undo();
    expect(kernel('Conv2DBackpropFilter')).toBeUndefined();
    const own = names.map(kernel);
    for (const i of [1, 2, 3]) expect(own[i].kernelFunc, names[i]).not.toBe(ours[i].kernelFunc);
    undo();
    undo = registerWasmGradients();
    undo();
    expect(names.map(kernel)).toEqual(own);
    undo = registerWasmGradients();
  });

  it('changes nothing when it is called twice', () => {
    const ours = names.map(kernel);
    expect(registerWasmGradients()).toBe(undo);
    names.forEach((name, i) => {
      expect(kernel(name), name).toBe(ours[i]);
    });
  });

  it('leaves a kernel alone that someone else has registered since', () => {
    const theirs = { ...kernel('MaxPoolGrad') };
    tf.unregisterKernel('MaxPoolGrad', 'wasm');
    tf.registerKernel(theirs);
    undo();
    expect(kernel('MaxPoolGrad')).toBe(theirs);
    undo = registerWasmGradients();
  });

  it('serves a backend that is set up already', async () => {
    undo();
    undo = registerWasmGradients();
    const convolution = gradientsOf((x, f) => tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 1));
    const inputs = [random(1, 4, 4, 1), random(3, 3, 1, 1)];
    expect(await worstDifference(convolution, inputs)).toBeLessThan(1e-5);
  });
});
