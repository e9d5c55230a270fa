/** The calls of the layers, and those that put gradients and parameters together. */

import fc from 'fast-check';
import * as syncbn from 'syncbn';
import { type Call, checkTensor, DTYPES } from './call.js';
import { listOf, mostly, odd, oddOptions, plain, type Recipe, recipe } from './odd.js';

const { SyncBatchNorm, GlobalBatchNorm, Tensor } = syncbn;

const BOOLEANS = [plain(true), plain(false)];
const COMMON = {
  eps: [plain(1e-3)],
  dtype: DTYPES,
  name: [plain('bn')],
  channelsLast: BOOLEANS,
  reproducible: BOOLEANS,
  onNonFinite: [plain('skip'), plain('throw')],
};
const SYNC_OPTIONS = {
  ...COMMON,
  momentum: [plain(0.1), plain(null)],
  affine: [
    ...BOOLEANS,
    recipe('{ weight: true, bias: false }', () => ({ weight: true, bias: false })),
  ],
  trackRunningStats: BOOLEANS,
  processGroup: [plain('world'), plain(null)],
};
const GLOBAL_OPTIONS = {
  ...COMMON,
  momentum: [plain(0.9)],
  affine: BOOLEANS,
  gammaInit: [plain('ones'), plain(2)],
  betaInit: [plain('zeros')],
  movingMeanInit: [plain(0)],
  movingVarInit: [plain('ones')],
  useBatchStatistics: [...BOOLEANS, plain(null)],
  deviceNumEachGroup: [plain(2)],
};

const FEATURES = [1, 2, 3].map(plain);

type AnyLayer = syncbn.SyncBatchNorm | syncbn.GlobalBatchNorm;

function checkLayer(value: unknown): string | null {
  const { eps, momentum, numFeatures } = value as syncbn.SyncBatchNorm;
  if (!Number.isInteger(numFeatures) || numFeatures < 1) return `numFeatures ${numFeatures}`;
  if (!(Number.isFinite(eps) && eps >= 0)) return `eps ${eps}`;
  return momentum === null || (momentum >= 0 && momentum <= 1) ? null : `momentum ${momentum}`;
}

/** Tensors around what a layer with two channels takes. */
const INPUTS: readonly Recipe[] = [
  recipe('Tensor.ones([3, 2])', () => Tensor.ones([3, 2])),
  recipe('Tensor.ones([2, 2, 2])', () => Tensor.ones([2, 2, 2])),
  recipe('Tensor.ones([0, 2])', () => Tensor.ones([0, 2])),
  recipe('Tensor.ones([1, 2])', () => Tensor.ones([1, 2])),
  recipe('Tensor.ones([2])', () => Tensor.ones([2])),
  recipe('Tensor.ones([2, 3])', () => Tensor.ones([2, 3])),
  recipe('Tensor.ones([2, 2], float64)', () => Tensor.ones([2, 2], 'float64')),
  recipe('Tensor.full([2, 2], NaN)', () => Tensor.full([2, 2], Number.NaN)),
  recipe('a tensor whose array was transferred', () => {
    const tensor = Tensor.ones([3, 2]);
    structuredClone(tensor.data, { transfer: [tensor.data.buffer as ArrayBuffer] });
    return tensor;
  }),
  recipe('a disposed tensor', () => {
    const tensor = Tensor.ones([3, 2]);
    tensor.dispose();
    return tensor;
  }),
];

/** A layer for calls of which none may change it for good. */
const layer = () => new SyncBatchNorm(2, { name: 'L' });
const LAYER = /^(SyncBatchNorm 'L'|Tensor)/;

const FORWARD_OPTIONS = {
  out: INPUTS,
  track: BOOLEANS,
  add: INPUTS,
  activation: [plain('relu'), plain('none')],
};
const FORWARD_NAMES = Object.keys(FORWARD_OPTIONS);
const BACKWARD_NAMES = ['out', 'context', 'accumulate', 'addOut'];
const BACKWARD_OPTIONS = { out: INPUTS, accumulate: BOOLEANS, addOut: [...INPUTS, plain(null)] };

/** A layer after a forward call, with a tail where the backward call's options may be for one. */
function called(options: unknown): syncbn.SyncBatchNorm {
  const own = layer();
  const x = Tensor.from([1, 2, 3, 4, 5, 6], [3, 2]);
  const hasAdd = typeof options === 'object' && options !== null && 'addOut' in options;
  own.forward(x, hasAdd ? { add: x, activation: 'relu' } : {});
  return own;
}
const NAMES = ['own', 'pytorch', 'keras'].map(plain);
const STATE_NAMES = ['weight', 'bias', 'runningMean', 'runningVar', 'numBatchesTracked'];
const stateOptions = oddOptions(STATE_NAMES, {
  weight: [recipe('Tensor.ones([2])', () => Tensor.ones([2]))],
  bias: [recipe('Tensor.ones([3])', () => Tensor.ones([3]))],
});

/** Loads a changed state; a state that is refused must leave the layer as it was. */
function loadState(changes: unknown, options: never): string | null {
  const own = layer();
  const before = snapshot(own);
  const state =
    typeof changes === 'object' && changes !== null
      ? Object.defineProperties(own.stateDict(), Object.getOwnPropertyDescriptors(changes))
      : changes;
  try {
    own.loadStateDict(state as syncbn.StateDict, options);
  } catch (error) {
    if (snapshot(own) !== before) return `refused, and yet the layer changed`;
    throw error;
  }
  return null;
}

function snapshot(own: AnyLayer): string {
  return Object.values(own.stateDict())
    .map(({ data }) => data.join())
    .join('|');
}

const holders = mostly(
  recipe('[Tensor.ones([2])]', () => [Tensor.ones([2])]),
  recipe('[new Float64Array(2)]', () => [new Float64Array(2)]),
  recipe('layer.parameters()', () => layer().parameters()),
);

export const LAYER_CALLS: readonly Call[] = [
  {
    name: 'new SyncBatchNorm',
    named: /^SyncBatchNorm/,
    args: fc.tuple(mostly(...FEATURES), oddOptions(Object.keys(SYNC_OPTIONS), SYNC_OPTIONS)),
    run: (...args: ConstructorParameters<typeof SyncBatchNorm>) => new SyncBatchNorm(...args),
    check: checkLayer,
  },
  {
    name: 'new GlobalBatchNorm',
    named: /^GlobalBatchNorm/,
    args: fc.tuple(mostly(...FEATURES), oddOptions(Object.keys(GLOBAL_OPTIONS), GLOBAL_OPTIONS)),
    run: (...args: ConstructorParameters<typeof GlobalBatchNorm>) => new GlobalBatchNorm(...args),
    check: checkLayer,
  },
  {
    name: 'layer.forward',
    named: LAYER,
    args: fc.tuple(mostly(...INPUTS), oddOptions(FORWARD_NAMES, FORWARD_OPTIONS)),
    run: (x: never, options: never) => layer().forward(x, options),
    check: checkTensor,
  },
  {
    name: 'layer.forwardWithContext',
    named: LAYER,
    args: fc.tuple(mostly(...INPUTS), oddOptions(FORWARD_NAMES, FORWARD_OPTIONS)),
    run: (x: never, options: never) => layer().forwardWithContext(x, options).output,
    check: checkTensor,
  },
  {
    name: 'layer.startForward',
    named: LAYER,
    args: fc.tuple(mostly(...INPUTS), oddOptions(FORWARD_NAMES, FORWARD_OPTIONS)),
    run: (x: never, options: never) => layer().startForward(x, options).done(),
    check: checkTensor,
  },
  {
    name: 'layer.startBackward',
    named: LAYER,
    args: fc.tuple(mostly(...INPUTS), oddOptions(BACKWARD_NAMES, BACKWARD_OPTIONS)),
    run: (dy: never, options: never) => called(options).startBackward(dy, options).done(),
    check: checkTensor,
  },
  {
    name: 'layer.eps =',
    named: LAYER,
    args: fc.tuple(mostly(plain(1e-3), plain(0))),
    run: (eps: never) => Object.assign(layer(), { eps }),
    check: checkLayer,
  },
  {
    name: 'layer.momentum =',
    named: LAYER,
    args: fc.tuple(mostly(plain(0.1), plain(null))),
    run: (momentum: never) => Object.assign(layer(), { momentum }),
    check: checkLayer,
  },
  {
    name: 'layer.stateDict',
    named: LAYER,
    args: fc.tuple(oddOptions(['names'], { names: NAMES })),
    run: (options: never) => layer().stateDict(options),
    check: (state) => (Object.keys(state as object).length > 3 ? null : 'entries are missing'),
  },
  {
    name: 'layer.backward',
    named: LAYER,
    args: fc.tuple(mostly(...INPUTS), oddOptions(BACKWARD_NAMES, BACKWARD_OPTIONS)),
    run: (dy: never, options: never) => called(options).backward(dy, options),
    check: checkTensor,
  },
  {
    name: 'layer.setTrain',
    named: LAYER,
    args: fc.tuple(mostly(...BOOLEANS)),
    run: (flag: never) => layer().setTrain(flag),
    check: (own) => (typeof (own as AnyLayer).training === 'boolean' ? null : 'training'),
  },
  {
    name: 'layer.loadStateDict',
    named: LAYER,
    args: fc.tuple(
      stateOptions,
      oddOptions(['names', 'strict'], { names: NAMES, strict: BOOLEANS }),
    ),
    run: loadState,
    check: (wrong) => wrong as string | null,
  },
  {
    name: 'averageGradients',
    named: /^(averageGradients|Tensor)/,
    args: fc.tuple(
      fc.oneof(holders, fc.array(odd, { maxLength: 2 }).map(listOf)),
      oddOptions(['group', 'sampleCount', 'lossReduction'], {
        group: [plain('world')],
        sampleCount: [plain(3)],
        lossReduction: [plain('sum')],
      }),
    ),
    run: (holders: never, options: never) => {
      syncbn.averageGradients(holders, options);
      return syncbn.startAverageGradients(holders, options).done();
    },
  },
  {
    name: 'broadcastParameters',
    named: /^(broadcastParameters|Tensor)/,
    args: fc.tuple(
      fc.oneof(holders, fc.array(odd, { maxLength: 2 }).map(listOf)),
      oddOptions(['group', 'root'], { group: [plain('world')], root: [plain(0)] }),
    ),
    run: (holders: never, options: never) => {
      syncbn.broadcastParameters(holders, options);
      return syncbn.startBroadcastParameters(holders, options).done();
    },
  },
];
