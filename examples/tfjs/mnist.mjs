// A convolutional network on handwritten digits, as TensorFlow.js' tutorial has it, on one rank:
//   node examples/tfjs/mnist.mjs

import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { registerWasmGradients } from 'syncbn/tfjs/wasm-gradients';
import { epochs, loadDigits } from './data.mjs';

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
const model = getModel();
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
await model.fit(train.images, train.labels, args);
