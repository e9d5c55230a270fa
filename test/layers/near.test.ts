/** Tensors in the kernels' memory and out of it: copied by blocks, whole, or by pieces. */

import { allocateTensor, init, SyncBatchNorm, Tensor } from 'syncbn';
import { beforeAll, describe, expect, it } from 'vitest';
import { ARRAYS } from '../../src/core/dtype.js';
import { sizeOf } from '../../src/core/layout.js';
import { expectClose, expectSame } from '../harness/numbers.js';
import { seeded } from '../kernels/arrays.js';

type DType = 'float32' | 'float64';

/** In one block, in several, in blocks of a backward call, whole rows, and too large for copies. */
const CASES: [shape: number[], channelsLast: boolean, dtype: DType][] = [
  [[3, 5, 4, 4], false, 'float32'],
  [[4, 40, 28, 28], false, 'float32'],
  [[4, 40, 20, 20], false, 'float64'],
  [[3, 700, 16, 16], false, 'float32'],
  [[4, 28, 28, 40], true, 'float32'],
  [[300, 64], false, 'float32'],
  [[5, 72, 56, 56], false, 'float32'],
];

const NAMES = ['x', 'y', 'dy', 'dx'] as const;
/** Tensors of a call that lie outside the kernels' memory. */
const FOREIGN = ['x y dy dx', 'x', 'y', 'dy', 'dx', 'x dy', 'y dx'];

beforeAll(() => init());

describe.each(CASES)('a layer over %j, channels last: %s, %s', (shape, channelsLast, dtype) => {
  const random = seeded(sizeOf(shape));
  const [x, dy] = [0, 1].map(() =>
    Float32Array.from({ length: sizeOf(shape) }, () => random() * 3 - 1),
  );
  const channels = channelsLast ? shape[shape.length - 1] : shape[1];
  const count = sizeOf(shape) / channels;

  /** Results of a call with some tensors outside of the kernels' memory; dx may be dy. */
  const run = (foreign: string, reproducible: boolean, isInPlace = false) => {
    const make = (name: (typeof NAMES)[number]) =>
      foreign.split(' ').includes(name)
        ? new Tensor(new ARRAYS[dtype](sizeOf(shape)), shape, dtype)
        : allocateTensor(shape, dtype);
    const tensors = NAMES.map(make);
    const [input, y, gradient] = tensors;
    const dx = isInPlace ? gradient : tensors[3];
    input.data.set(x);
    gradient.data.set(dy);
    const layer = new SyncBatchNorm(channels, { channelsLast, dtype, reproducible });
    layer.forward(input, { out: y });
    layer.backward(gradient, { out: dx });
    const { weight, bias, runningVar } = layer;
    const given = isInPlace ? [] : [gradient.data.slice()];
    const results = [y.data.slice(), dx.data.slice(), input.data.slice(), ...given];
    for (const tensor of tensors) tensor.dispose();
    // Sums whose terms cancel, over the number of their terms.
    const sums = [weight!.grad!, bias!.grad!].map(({ data }) => data.map((v) => v / count));
    return [...results, ...sums, runningVar!.data.slice()];
  };

  it('gives the results that it gives where all tensors are in the kernels’ memory', () => {
    const want = run('', false);
    for (const foreign of FOREIGN) {
      run(foreign, false).forEach((values, i) => {
        expectClose(values, want[i], 1e-5);
      });
    }
    const [y, dx, input, , ...small] = want;
    for (const foreign of ['', 'dy']) {
      run(foreign, false, true).forEach((values, i) => {
        expectClose(values, [y, dx, input, ...small][i], 1e-5);
      });
    }
  });

  it('gives the same bits if it is reproducible', () => {
    const want = run('', true);
    expect(want[0].some((value) => value !== 0)).toBe(true);
    for (const foreign of ['x y dy dx', 'x', 'dy']) {
      const got = run(foreign, true);
      // Statistics and gradients of parameters; y and dx come by kernels that may round otherwise.
      for (const i of [4, 5, 6]) expectSame(got[i], want[i]);
    }
  });
});
