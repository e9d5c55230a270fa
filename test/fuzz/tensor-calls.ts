/** The calls that make tensors, parameters, initial values and worlds. */

import fc from 'fast-check';
import * as syncbn from 'syncbn';
import { type Call, checkTensor, DTYPES, SHAPES } from './call.js';
import { mostly, odd, oddOptions, plain, recipe } from './odd.js';

const { Tensor } = syncbn;

const tensors = (...make: [string, () => unknown][]) => make.map(([text, f]) => recipe(text, f));
const DATA = tensors(
  ['new Float32Array(4)', () => new Float32Array(4)],
  ['[1, 2, 3, 4]', () => [1, 2, 3, 4]],
  ['new Float64Array(2)', () => new Float64Array(2)],
);

/** What JSON makes of elements. */
const LISTS = [...DATA, recipe("['NaN', '-0', 1, 2]", () => ['NaN', '-0', 1, 2])];

export const TENSOR_CALLS: readonly Call[] = [
  {
    name: 'new Tensor',
    named: /^Tensor: /,
    args: fc.tuple(mostly(...DATA), mostly(...SHAPES), mostly(...DTYPES), odd),
    run: (...args: ConstructorParameters<typeof Tensor>) => new Tensor(...args),
    check: checkTensor,
  },
  {
    name: 'Tensor.from',
    named: /^Tensor(\.from)?: /,
    args: fc.tuple(mostly(...DATA), mostly(...SHAPES), mostly(...DTYPES)),
    run: Tensor.from,
    check: checkTensor,
  },
  {
    name: 'Tensor.of',
    named: /^Tensor(\.(from|of))?: /,
    args: fc.tuple(
      fc.oneof(
        odd,
        oddOptions(['shape', 'dtype', 'data'], { shape: SHAPES, dtype: DTYPES, data: LISTS }),
      ),
    ),
    run: Tensor.of,
    check: checkTensor,
  },
  {
    name: 'Tensor.ones',
    named: /^Tensor(\.(ones|full|zeros))?: /,
    args: fc.tuple(mostly(...SHAPES), mostly(...DTYPES)),
    run: Tensor.ones,
    check: checkTensor,
  },
  {
    name: 'Tensor.zeros',
    named: /^Tensor(\.zeros)?: /,
    args: fc.tuple(mostly(...SHAPES), mostly(...DTYPES)),
    run: Tensor.zeros,
    check: checkTensor,
  },
  {
    name: 'Tensor.full',
    named: /^Tensor(\.(full|zeros))?: /,
    args: fc.tuple(mostly(...SHAPES), mostly(plain(3)), mostly(...DTYPES)),
    run: Tensor.full,
    check: checkTensor,
  },
  {
    name: 'tensor.reshape',
    named: /^Tensor(\.reshape)?: /,
    args: fc.tuple(mostly(...SHAPES)),
    run: (shape: never) => Tensor.zeros([2, 2]).reshape(shape),
    check: checkTensor,
  },
  {
    name: 'tensor.clone',
    named: /^Tensor(\.(clone|zeros))?: /,
    args: fc.tuple(mostly(...DTYPES)),
    run: (dtype: never) => Tensor.zeros([2, 2]).clone(dtype),
    check: checkTensor,
  },
  {
    name: 'allocateTensor',
    named: /^(allocateTensor|Tensor|kernels: no memory)/,
    args: fc.tuple(mostly(...SHAPES), mostly(...DTYPES)),
    run: (shape: never, dtype: never) => {
      const tensor = syncbn.allocateTensor(shape, dtype);
      const wrong = checkTensor(tensor);
      tensor.dispose();
      return wrong;
    },
    check: (wrong) => wrong as string | null,
  },
  {
    name: 'new Parameter',
    named: /^Parameter: /,
    args: fc.tuple(
      mostly(plain('w')),
      mostly(recipe('Tensor.ones([2])', () => Tensor.ones([2]))),
      mostly(plain(undefined)),
    ),
    run: (...args: ConstructorParameters<typeof syncbn.Parameter>) => new syncbn.Parameter(...args),
    check: (value) =>
      typeof (value as syncbn.Parameter).name === 'string' ? null : 'a name that is no string',
  },
];

const initializerNames = Object.keys(syncbn.initializers) as (keyof typeof syncbn.initializers)[];
const INITIALIZER_OPTIONS = [
  ...['seed', 'sigma', 'mean', 'a', 'b', 'scale', 'gain', 'mode'],
  ...['negativeSlope', 'value', 'low', 'high'],
];

export const INITIALIZER_CALLS: readonly Call[] = initializerNames.map((name) => ({
  name: `initializers.${name}`,
  named: /^initializers?[ .]/,
  args: fc.tuple(oddOptions(INITIALIZER_OPTIONS), mostly(...SHAPES)),
  run: (options: never, shape: never) => {
    const made = syncbn.initializers[name] as unknown;
    const initializer = typeof made === 'function' ? made(options) : made;
    return (initializer as syncbn.Initializer).values(shape);
  },
  check: (values, [given]) =>
    (values as Float64Array).every((value) => Number.isFinite(value) || Object.is(value, given))
      ? null
      : `values ${String(values)}`,
}));

export const OTHER_CALLS: readonly Call[] = [
  {
    name: 'new Initializer',
    named: /^initializer/,
    args: fc.tuple(
      mostly(plain('mine')),
      mostly(recipe('(out) => out.fill(1)', () => (out: Float64Array) => out.fill(1))),
      oddOptions(['isRandom', 'seed'], { seed: [plain(3)], isRandom: [plain(true)] }),
    ),
    run: (...args: ConstructorParameters<typeof syncbn.Initializer>) =>
      new syncbn.Initializer(...args),
    check: (made) => (typeof (made as syncbn.Initializer).name === 'string' ? null : 'no name'),
  },
  {
    name: 'zeroGradients',
    named: /^zeroGradients: /,
    args: fc.tuple(
      mostly(
        recipe('[parameter]', () => [new syncbn.Parameter('w', Tensor.ones([2]))]),
        recipe('new Set()', () => new Set()),
      ),
    ),
    run: syncbn.zeroGradients,
  },
];
