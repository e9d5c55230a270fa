// A convolutional network on handwritten digits, as TensorFlow.js' tutorial has it, on four ranks:
//   npx syncrun --worker_num=4 --join=True --tail_worker_log=0 examples/tfjs/mnist-ranks.mjs

import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { getGroupSize, init } from 'syncbn'; // added
import { convertSyncBatchNormalization, distribute, shard } from 'syncbn/tfjs'; // added
import { registerWasmGradients } from 'syncbn/tfjs/wasm-gradients';
import { epochs, loadDigits } from './data.mjs';

await init(); // added
await tf.setBackend('wasm');
registerWasmGradients(); // without it, convolutions do not train on wasm

function getModel() {
  const model = tf.sequential();
  model.add(
    tf.layers.conv2d({
      inputShape: [28, 28, 1],
      kernelSize: 5,
      filters: 8,
      strides: 1,
      kernelInitializer: 'varianceScaling',
    }),
  );
  model.add(tf.layers.batchNormalization());
  model.add(tf.layers.reLU());
  model.add(tf.layers.maxPooling2d({ poolSize: [2, 2], strides: [2, 2] }));
  model.add(
    tf.layers.conv2d({
      kernelSize: 5,
      filters: 16,
      strides: 1,
      kernelInitializer: 'varianceScaling',
    }),
  );
  model.add(tf.layers.batchNormalization());
  model.add(tf.layers.reLU());
  model.add(tf.layers.maxPooling2d({ poolSize: [2, 2], strides: [2, 2] }));
  model.add(tf.layers.flatten());
  model.add(
    tf.layers.dense({ units: 10, kernelInitializer: 'varianceScaling', activation: 'softmax' }),
  );
  model.compile({
    optimizer: tf.train.adam(),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  return model;
}

const { train, test } = await loadDigits();
Object.assign(train, shard(train)); // added: every rank takes its part
Object.assign(test, shard(test)); // added
const model = getModel();
convertSyncBatchNormalization(model); // added: the statistics are those of all ranks' samples
distribute(model); // added: fit trains over all ranks
const args = {
  batchSize: 64,
  epochs,
  validationData: [test.images, test.labels],
  callbacks: {
    onEpochEnd: (epoch, { loss, acc, val_acc }) =>
      console.log(
        `Epoch ${epoch + 1} / ${epochs}`,
        `loss=${loss.toFixed(3)} acc=${acc.toFixed(3)} val_acc=${val_acc.toFixed(3)}`,
      ),
  },
};
args.batchSize /= getGroupSize(); // added: of all ranks together as large as of one
await model.fit(train.images, train.labels, args);
