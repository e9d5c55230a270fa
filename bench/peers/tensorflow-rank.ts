/**
 * TensorFlow.js as a contestant: moments and batchNorm over the rank's own batch, on its
 * WebAssembly backend. Forward only, which the goal is for, and channels last: batchNorm
 * normalises the last axis.
 */

import { createRequire } from 'node:module';
import { findGroup, init } from '../../src/group/world.js';
import { dataOf, EPS, errorsOf, reference } from '../data.js';
import { shapeNamed, type Task } from '../shapes.js';
import { samplesOf, serveThread } from '../turns/serve.js';

// Its ES modules do not load in Node.
const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs') as typeof import('@tensorflow/tfjs');
require('@tensorflow/tfjs-backend-wasm');

await init();
await tf.setBackend('wasm');
if (tf.getBackend() !== 'wasm') throw new Error('bench: TensorFlow.js has no wasm backend here');
const group = findGroup(null, 'bench');
let inputs: import('@tensorflow/tfjs').Tensor[] = [];

serveThread<Task>({
  prepare(task) {
    tf.dispose(inputs);
    const shape = shapeNamed(task.shape, task.channelsLast);
    if (!task.channelsLast && shape.length > 2) {
      inputs = [];
      return {};
    }
    const { x, weight, bias } = dataOf(task, group.rank);
    inputs = [tf.tensor(x as Float32Array, shape), tf.tensor1d(weight as Float32Array)];
    inputs.push(tf.tensor1d(bias as Float32Array));
    const y = forward();
    const want = reference(task, group.rank, [group.rank]);
    const errors = errorsOf({ y: y.dataSync() as Float32Array }, want);
    y.dispose();
    return { ...errors };
  },
  turn(_work, calls, samples) {
    const run = () => forward().dispose();
    return samplesOf(run, calls, samples, () => group.barrier().wait());
  },
});

function forward() {
  const [x, weight, bias] = inputs;
  const axes = x.shape.slice(1).map((_, axis) => axis);
  return tf.tidy(() => {
    const { mean, variance } = tf.moments(x, axes);
    return tf.batchNorm(
      x as import('@tensorflow/tfjs').Tensor4D,
      mean as import('@tensorflow/tfjs').Tensor1D,
      variance as import('@tensorflow/tfjs').Tensor1D,
      bias as import('@tensorflow/tfjs').Tensor1D,
      weight as import('@tensorflow/tfjs').Tensor1D,
      EPS,
    );
  });
}
