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
];
