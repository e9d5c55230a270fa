// Transfer learning with small batches: a network that was trained and saved on one machine learns
// other digits on four ranks, with 4 images at a time on each.
//   npx syncrun --worker_num=4 --join=True --tail_worker_log=0 examples/tfjs/fine-tune.mjs

import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { createGroup, getGroupSize, getProcessGroupRanks, getRank, init } from 'syncbn';
import {
  averageMetrics,
  convertSyncBatchNormalization,
  distribute,
  revertSyncBatchNormalization,
  shard,
} from 'syncbn/tfjs';
import { registerWasmGradients } from 'syncbn/tfjs/wasm-gradients';
import { epochs, folder, loadDigits } from './data.mjs';
import { loadFile, saveFile } from './files.mjs';

await init();
await tf.setBackend('wasm');
registerWasmGradients();
const say = getRank() === 0 ? console.log : () => {};

const { train, test } = await loadDigits();

/** A network with plain BatchNormalization layers, as Keras and TensorFlow.js save them. */
async function pretrain() {
  const { layers } = tf;
  const block = (filters, more = {}) => [
    layers.conv2d({ filters, kernelSize: 3, padding: 'same', useBias: false, ...more }),
    layers.batchNormalization({ momentum: 0.9 }),
    layers.reLU(),
    layers.maxPooling2d({ poolSize: 2 }),
  ];
  const model = tf.sequential({
    layers: [
      ...block(8, { inputShape: [28, 28, 1] }),
      ...block(16),
      layers.flatten(),
      layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  await model.fit(train.images, train.labels, { batchSize: 64, epochs, verbose: 0 });
  return model;
}

const pretrained = join(folder, 'pretrained.json');
if (getRank() === 0) await saveFile(await pretrain(), pretrained);
await createGroup('all', getProcessGroupRanks()).barrier().done();

const model = await loadFile(pretrained);
convertSyncBatchNormalization(model);
// The first block stays as it is.
for (const layer of model.layers.slice(0, 1)) layer.trainable = false;
model.compile({
  optimizer: tf.train.adam(0.003),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});
distribute(model);

// The new task: the same digits in negative.
const negative = (x) => tf.tidy(() => tf.sub(1, x));
const part = shard({ images: negative(train.images), labels: train.labels });
const held = shard({ images: negative(test.images), labels: test.labels });

/** Accuracy over all ranks' digits. */
function accuracy() {
  const [, acc] = model.evaluate(held.images, held.labels);
  return averageMetrics(acc, { samples: held.images.shape[0] });
}

say(`before: accuracy ${accuracy().toFixed(3)}`);
await model.fit(part.images, part.labels, {
  batchSize: 4,
  epochs,
  callbacks: {
    onEpochEnd: (epoch, { loss, acc }) =>
      say(`Epoch ${epoch + 1} / ${epochs} loss=${loss.toFixed(3)} acc=${acc.toFixed(3)}`),
  },
});
say(`after: accuracy ${accuracy().toFixed(3)} on ${getGroupSize()} ranks`);

// For programs without syncbn: plain layers again, saved once.
revertSyncBatchNormalization(model);
if (getRank() === 0) console.log(`saved ${await saveFile(model, join(folder, 'fine-tuned.json'))}`);
