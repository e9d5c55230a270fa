/** The calls of `syncbn/jax`. What a network is trained with goes to jax-js, whose errors are its own. */

import { init as initJax, numpy as np } from '@jax-js/jax';
import fc from 'fast-check';
import { SyncBatchNorm } from 'syncbn';
import { again, broadcastTree, convolve, maxPool, network, stage } from 'syncbn/jax';
import type { Call } from './call.js';
import { mostly, oddOptions, plain, recipe } from './odd.js';

await initJax('wasm');
const LOSS = recipe('(x) => np.sum(x)', () => (x: np.Array) => np.sum(x));
const LAYERS = [
  recipe('{ bn }', () => ({ bn: new SyncBatchNorm(2) })),
  recipe('{ s: stage((x) => x) }', () => ({ s: stage((x) => x) })),
];

const IMAGES = [
  recipe('np.ones([1, 4, 4, 2])', () => np.ones([1, 4, 4, 2])),
  recipe('np.ones([4, 2])', () => np.ones([4, 2])),
];

type Net = ReturnType<typeof makeNet>;
const makeNet = () =>
  network(
    { s: stage((x) => x), bn: new SyncBatchNorm(2, { name: 'bn' }) },
    { loss: (y: np.Array, labels: np.Array) => np.sum(y.mul(labels)), name: 'net' },
  );
let made: Net | null = null;

/** One network, whose functions are compiled once. */
function net(): Net {
  made ??= makeNet();
  return made;
}

const PARAMETERS = [
  recipe('the parameters', () => net().initialParameters()),
  recipe('parameters of float16', () => {
    const half = () => np.ones([2]).astype(np.float16);
    return { s: {}, bn: { weight: half(), bias: half() } };
  }),
  recipe('parameters without a bias', () => ({ s: {}, bn: { weight: np.ones([2]) } })),
  recipe('{ bn: 3 }', () => ({ s: {}, bn: 3 })),
];
const BATCHES = [
  recipe('np.ones([3, 2])', () => np.ones([3, 2])),
  recipe('np.ones([0, 2])', () => np.ones([0, 2])),
  recipe('np.ones([3, 4])', () => np.ones([3, 4])),
  recipe('np.ones([2])', () => np.ones([2])),
  recipe('np.array(1)', () => np.array(1)),
  recipe('{ x: np.ones([3, 2]) }', () => ({ x: np.ones([3, 2]) })),
];
const NET = /^(net|SyncBatchNorm 'bn')(: | ')/;
const shapeOf = (array: unknown) => (array as np.Array | null)?.shape;

export const JAX_CALLS: readonly Call[] = [
  {
    name: 'stage',
    named: /^stage: /,
    args: fc.tuple(mostly(LOSS), mostly(LOSS)),
    run: stage,
  },
  {
    name: 'network',
    named: /^(network|[^:]{1,90})( '.*')?: /,
    args: fc.tuple(
      mostly(...LAYERS),
      oddOptions(['loss', 'processGroup', 'name'], {
        loss: [LOSS],
        processGroup: [plain('world'), plain(null)],
        name: [plain('net')],
      }),
    ),
    run: network,
  },
  {
    name: 'broadcastTree',
    named: /^broadcastTree: /,
    args: fc.tuple(
      mostly(
        recipe('np.ones([2])', () => np.ones([2])),
        recipe('{ a: [np.ones([2])] }', () => ({ a: [np.ones([2])] })),
      ),
      oddOptions(['group', 'root'], { group: [plain('world')], root: [plain(0)] }),
    ),
    run: (arrays: never, options: never) => broadcastTree(arrays, options).done(),
  },
  { name: 'again', named: /^again: /, args: fc.tuple(mostly(plain('bn'))), run: again },
  {
    name: 'convolve',
    named: /^convolve: /,
    args: fc.tuple(
      mostly(...IMAGES),
      mostly(
        recipe('np.ones([3, 3, 2, 1])', () => np.ones([3, 3, 2, 1])),
        recipe('np.ones([2, 2, 2, 1])', () => np.ones([2, 2, 2, 1])),
      ),
      mostly(plain('same'), plain('valid'), plain(undefined)),
    ),
    run: convolve,
    check: (y) => (shapeOf(y)?.length === 4 ? null : `an array of shape ${shapeOf(y)}`),
    share: 0.05,
  },
  {
    name: 'maxPool',
    named: /^maxPool: /,
    args: fc.tuple(mostly(...IMAGES), mostly(plain(2), plain(1), plain(undefined))),
    run: maxPool,
    check: (y) => (shapeOf(y)?.length === 4 ? null : `an array of shape ${shapeOf(y)}`),
    share: 0.1,
  },
  {
    name: 'network.lossAndGradients',
    named: NET,
    args: fc.tuple(
      mostly(...PARAMETERS),
      mostly(...BATCHES),
      oddOptions(['average', 'inputGradients'], {
        average: [plain(true), plain(false)],
        inputGradients: [plain(true), plain(false)],
      }),
    ),
    run: (parameters: never, batch: never, options: never) =>
      net().lossAndGradients(parameters, batch, np.array(1), options).done(),
    check: (result) => {
      const { loss } = result as { loss: unknown };
      return typeof loss === 'number' ? null : 'a loss that is no number';
    },
    share: 0.1,
  },
  {
    name: 'network.predict',
    named: NET,
    args: fc.tuple(mostly(...PARAMETERS), mostly(...BATCHES)),
    run: (parameters: never, batch: never) => net().predict(parameters, batch),
    share: 0.1,
  },
  {
    name: 'network.store',
    named: /^store: /,
    args: fc.tuple(mostly(...PARAMETERS)),
    run: (parameters: never) => net().store(parameters).done(),
    share: 0.1,
  },
];
