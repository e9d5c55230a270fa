/** The built-in layer of TensorFlow.js or the synchronized one, on one rank. */

import { workerData } from 'node:worker_threads';
import { syncBatchNormalization } from '../../src/adapters/tfjs/index.js';
import { init } from '../../src/group/world.js';
import { samplesOf, serveThread } from '../turns/serve.js';
import { type LayerTask, numbers } from './tasks.js';
import { tf } from './tensorflow.js';

type Tensor = import('@tensorflow/tfjs').Tensor;

await init();
const { own } = workerData as { own: boolean };
const EPS = 1e-3;

let forward: () => Tensor;
let training: () => { value: Tensor; grads: Tensor[] };

serveThread<LayerTask>({
  async prepare({ backend, shape }) {
    tf.disposeVariables();
    await tf.setBackend(backend);
    const size = shape.reduce((product, axis) => product * axis, 1);
    const x = tf.tensor(numbers(size, 1), [...shape]);
    const dy = tf.tensor(numbers(size, 2), [...shape]);
    const make = own ? syncBatchNormalization : tf.layers.batchNormalization;
    const layer = make({ epsilon: EPS });
    layer.build([...shape]);
    const { gamma, beta } = layer as unknown as Record<string, { read(): Tensor }>;
    const inputs = [x, gamma.read(), beta.read()];
    forward = () => tf.tidy(() => layer.apply(x, { training: true }) as Tensor);
    training = () => tf.tidy(() => tf.engine().gradients(forward, inputs, dy));
    const { value, grads } = training();
    const errors = errorsOf(x, dy, value, grads[0]);
    tf.dispose([value, ...grads]);
    return errors;
  },
  turn(work, calls, samples) {
    const run = work === 'forward' ? () => tf.dispose(forward()) : () => dispose(training());
    return samplesOf(run, calls, samples, () => {});
  },
});

function dispose({ value, grads }: { value: Tensor; grads: Tensor[] }): void {
  tf.dispose([value, ...grads]);
}

/** Largest errors of y and dx to float64; weights are 1 and biases 0. */
function errorsOf(x: Tensor, dy: Tensor, y: Tensor, dx: Tensor) {
  const channels = x.shape[x.rank - 1];
  const [xs, dys, ys, dxs] = [x, dy, y, dx].map((tensor) => tensor.dataSync());
  const count = xs.length / channels;
  let [forwardError, trainingError] = [0, 0];
  for (let c = 0; c < channels; c++) {
    const mean = sum(count, (i) => xs[i * channels + c]) / count;
    const square = sum(count, (i) => (xs[i * channels + c] - mean) ** 2) / count;
    const invstd = 1 / Math.sqrt(square + EPS);
    const xhat = (i: number) => (xs[i * channels + c] - mean) * invstd;
    const meanDy = sum(count, (i) => dys[i * channels + c]) / count;
    const meanDyXhat = sum(count, (i) => dys[i * channels + c] * xhat(i)) / count;
    for (let i = 0; i < count; i++) {
      const at = i * channels + c;
      const want = invstd * (dys[at] - meanDy - xhat(i) * meanDyXhat);
      forwardError = Math.max(forwardError, Math.abs(ys[at] - xhat(i)) / (1 + Math.abs(xhat(i))));
      trainingError = Math.max(trainingError, Math.abs(dxs[at] - want) / (1 + Math.abs(want)));
    }
  }
  return { forward: forwardError, training: Math.max(forwardError, trainingError) };
}

function sum(count: number, of: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += of(i);
  return total;
}
