/** What a user of TensorFlow.js writes beside `@tensorflow/tfjs`; compiled and run. */

import * as tf from '@tensorflow/tfjs';
import { init } from 'syncbn';
import {
  averageMetrics,
  convertSyncBatchNormalization,
  distribute,
  revertSyncBatchNormalization,
  SyncBatchNormalization,
  type SyncBatchNormalizationArgs,
  shard,
  syncBatchNormalization,
  trainingStep,
} from 'syncbn/tfjs';

await init();
await tf.setBackend('cpu');
const args: SyncBatchNormalizationArgs = { axis: -1, scale: false, onNonFinite: 'throw' };
const model: tf.Sequential = tf.sequential();
model.add(tf.layers.dense({ inputShape: [3], units: 4 }));
model.add(syncBatchNormalization(args));
model.add(tf.layers.batchNormalization());
model.add(tf.layers.dense({ units: 1 }));
model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
const same: tf.Sequential = distribute(convertSyncBatchNormalization(model));
const { xs, ys } = shard({ xs: tf.ones([8, 3]), ys: tf.ones([8, 1]) });
const history: tf.History = await same.fit(xs, ys, { epochs: 2, verbose: 0 });
const dataset: tf.data.Dataset<number> = shard(tf.data.array([1, 2, 3]));
const metrics: number = averageMetrics(model.evaluate(xs, ys) as tf.Scalar, { samples: 8 });
const { loss }: { loss: number } = averageMetrics({ loss: 1 });
const optimizer: tf.Optimizer = distribute(tf.train.adam());
const cost: tf.Scalar | null = trainingStep(8, () => tf.scalar(1));

// @ts-expect-error there is no such rule
const wrong = () => syncBatchNormalization({ onNonFinite: 'ignore' });

const all = model.layers.filter((layer) => layer instanceof SyncBatchNormalization).length;
revertSyncBatchNormalization(model);
const left = model.layers.filter((layer) => layer instanceof SyncBatchNormalization).length;
console.log(
  JSON.stringify([all, left, history.epoch, dataset.size, Number.isFinite(metrics), loss]),
  optimizer.getClassName(),
  cost?.dataSync()[0],
  typeof wrong,
);
