/**
 * Training steps of a convolutional network of TensorFlow.js on its wasm backend, on one rank of
 * any number: 28 x 28, two convolutions with a normalisation each, dense.
 */

import { workerData } from 'node:worker_threads';
import { distribute, syncBatchNormalization } from '../../src/adapters/tfjs/index.js';
import { registerWasmGradients } from '../../src/adapters/tfjs/wasm-gradients/index.js';
import { findGroup, init } from '../../src/group/world.js';
import { samplesOf, serveThread } from '../turns/serve.js';
import { type NetworkTask, numbers } from './tasks.js';
import { type Norm, tf } from './tensorflow.js';

await init();
await tf.setBackend('wasm');
// TensorFlow.js alone has no gradients of convolutions on wasm at all.
registerWasmGradients();
const { own, ranks = 1 } = workerData as { own: boolean; ranks?: number };
const group = findGroup(null, 'bench');

function network(norm: Norm) {
  const { layers } = tf;
  const block = (filters: number, more = {}) => [
    layers.conv2d({ filters, kernelSize: 3, padding: 'same', useBias: false, ...more }),
    norm(),
    layers.reLU(),
    layers.maxPooling2d({ poolSize: 2 }),
  ];
  const model = tf.sequential({
    layers: [
      ...block(16, { inputShape: [28, 28, 1] }),
      ...block(32),
      layers.flatten(),
      layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  model.compile({
    optimizer: tf.train.sgd(0.01),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  return own ? distribute(model) : model;
}

const model = network(own ? () => syncBatchNormalization() : () => tf.layers.batchNormalization());
let step: () => Promise<number>;

serveThread<NetworkTask>({
  async prepare({ batch }) {
    const count = batch / ranks;
    const x = tf.tensor4d(numbers(count * 784, group.rank), [count, 28, 28, 1]);
    const labels = Array.from({ length: count }, (_, i) => i % 10);
    const y = tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), 10), 'float32');
    step = async () => {
      const [loss] = (await model.trainOnBatch(x, y)) as number[];
      return loss;
    };
    // A random network's loss is about ln 10.
    return { step: Math.abs((await step()) - Math.log(10)) < 3 ? 0 : Number.NaN };
  },
  turn(_work, calls, samples) {
    const run = async () => {
      await step();
    };
    return samplesOf(run, calls, samples, () => group.barrier().wait());
  },
});
