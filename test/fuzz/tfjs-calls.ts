/** The calls of `syncbn/tfjs`. What TensorFlow.js is given by itself is its own affair. */

import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import {
  averageMetrics,
  broadcastWeights,
  convertSyncBatchNormalization,
  distribute,
  revertSyncBatchNormalization,
  shard,
  syncBatchNormalization,
  trainingStep,
} from 'syncbn/tfjs';
import type { Call } from './call.js';
import { mostly, oddOptions, plain, recipe } from './odd.js';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

/** Disposes what the call has made, models and optimizers included. */
function tidied(run: (...args: never[]) => unknown): (...args: never[]) => unknown {
  return (...args) => {
    const { registeredVariables } = tf.engine();
    try {
      return tf.tidy(() => run(...args) as tf.TensorContainer);
    } finally {
      for (const variable of Object.values(registeredVariables)) variable.dispose();
    }
  };
}

const GROUP = [plain('world'), plain(null)];
const SYNC_OPTIONS = { processGroup: GROUP, onNonFinite: [plain('skip'), plain('throw')] };

const MODEL = recipe('a model', () => {
  const model = tf.sequential();
  model.add(tf.layers.dense({ units: 2, inputShape: [3] }));
  model.add(tf.layers.batchNormalization());
  return model;
});
const COMPILED = recipe('a compiled model', () => {
  const model = tf.sequential({
    layers: [tf.layers.dense({ units: 1, inputShape: [2] }), syncBatchNormalization()],
  });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  return model;
});
const OPTIMIZER = recipe('tf.train.sgd(0.1)', () => tf.train.sgd(0.1));
const TENSORS = recipe('tf.ones([4, 2])', () => tf.ones([4, 2]));
const ROOT = { group: GROUP, root: [plain(0)] };

const isNumber = (value: unknown) => typeof value === 'number';

/** A number, or numbers in a list or by name. */
function checkMetrics(result: unknown): string | null {
  if (isNumber(result)) return null;
  const odd = Object.entries(result as object).find(([, value]) => !isNumber(value));
  return odd === undefined ? null : `${odd[0]} is no number`;
}

export const TFJS_CALLS: readonly Call[] = [
  {
    name: 'syncBatchNormalization',
    named: /^(syncBatchNormalization|SyncBatchNormalization '.*'): /,
    args: fc.tuple(
      oddOptions([...Object.keys(SYNC_OPTIONS), 'axis'], { ...SYNC_OPTIONS, axis: [plain(-1)] }),
    ),
    run: tidied(syncBatchNormalization),
  },
  {
    name: 'convertSyncBatchNormalization',
    named: /^convertSyncBatchNormalization: /,
    args: fc.tuple(mostly(MODEL), oddOptions(Object.keys(SYNC_OPTIONS), SYNC_OPTIONS)),
    run: tidied((model: tf.LayersModel, options) => {
      convertSyncBatchNormalization(model, options);
      return model.layers[1].getClassName() as never;
    }),
    check: (name) => (name === 'SyncBatchNormalization' ? null : `a layer of ${name}`),
    share: 0.3,
  },
  {
    name: 'revertSyncBatchNormalization',
    named: /^revertSyncBatchNormalization: /,
    args: fc.tuple(mostly(MODEL)),
    run: tidied(revertSyncBatchNormalization),
    share: 0.3,
  },
  {
    name: 'shard',
    named: /^shard: /,
    args: fc.tuple(
      mostly(
        TENSORS,
        recipe('{ xs, ys }', () => ({ xs: tf.ones([5]), ys: [tf.ones([5, 1])] })),
        recipe('a scalar', () => tf.scalar(1)),
      ),
      oddOptions(['index', 'size'], { index: [plain(0), plain(1)], size: [plain(1), plain(3)] }),
    ),
    run: tidied(shard),
  },
  {
    name: 'broadcastWeights',
    named: /^broadcastWeights: /,
    args: fc.tuple(
      mostly(
        MODEL,
        recipe('[tf.variable(...)]', () => [tf.variable(tf.ones([2]))]),
        recipe('[tf.ones([2])]', () => [tf.ones([2])]),
        recipe('{ weights: [3] }', () => ({ weights: [3] })),
      ),
      oddOptions(Object.keys(ROOT), ROOT),
    ),
    run: tidied(broadcastWeights),
    share: 0.3,
  },
  {
    name: 'distribute',
    named: /^distribute: /,
    args: fc.tuple(mostly(OPTIMIZER, COMPILED, MODEL), oddOptions(Object.keys(ROOT), ROOT)),
    run: tidied((target, options) => {
      distribute(target, options);
      return null as never;
    }),
    share: 0.3,
  },
  {
    name: 'trainingStep',
    named: /^trainingStep: /,
    // A step that is no function but a class.
    fails: /^Class constructor A cannot be invoked/,
    args: fc.tuple(
      mostly(plain(1), plain(0), plain(2.5)),
      mostly(recipe('() => 7', () => () => 7)),
      oddOptions(['group'], { group: GROUP }),
    ),
    run: trainingStep,
  },
  {
    name: 'averageMetrics',
    named: /^averageMetrics: /,
    args: fc.tuple(
      mostly(
        plain(0.5),
        recipe('[1, tf.scalar(2)]', () => [1, tf.scalar(2)]),
        recipe('{ loss: 1 }', () => ({ loss: 1 })),
      ),
      oddOptions(['samples', 'group'], { samples: [plain(3), plain(0)], group: GROUP }),
    ),
    run: tidied(averageMetrics),
    check: checkMetrics,
  },
];
