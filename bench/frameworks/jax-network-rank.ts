/** Training steps of the same network in jax-js on its wasm device, on one rank of any number. */

import { workerData } from 'node:worker_threads';
import { defaultDevice, init as initJax, nn, numpy as np, tree } from '@jax-js/jax';
import { convolve, maxPool, network, stage } from '../../src/adapters/jax/index.js';
import { findGroup, init } from '../../src/group/world.js';
import { SyncBatchNorm } from '../../src/layers/sync-batch-norm.js';
import { samplesOf, serveThread } from '../turns/serve.js';
import { type NetworkTask, numbers } from './tasks.js';

await init();
await initJax('wasm');
defaultDevice('wasm');
const group = findGroup(null, 'bench');
const { ranks } = workerData as { ranks: number };

const RATE = 0.01;

function array(shape: number[], seed: number, scale = 1): np.Array {
  const size = shape.reduce((product, axis) => product * axis, 1);
  return np.array(
    numbers(size, seed).map((value) => value * scale),
    { shape },
  );
}

const net = network(
  {
    conv1: stage(
      () => ({ kernel: array([3, 3, 1, 16], 1, 0.3) }),
      (x, { kernel }) => convolve(x, kernel),
    ),
    bn1: new SyncBatchNorm(16, { channelsLast: true }),
    conv2: stage(
      () => ({ kernel: array([3, 3, 16, 32], 2, 0.1) }),
      (x, { kernel }) => convolve(maxPool(nn.relu(x)), kernel),
    ),
    bn2: new SyncBatchNorm(32, { channelsLast: true }),
    dense: stage(
      () => ({ w: array([1568, 10], 3, 0.03) }),
      (x, { w }) => np.dot(maxPool(nn.relu(x)).reshape([-1, 1568]), w),
    ),
  },
  {
    loss: (logits, labels: np.Array) =>
      np.sum(nn.logSoftmax(logits, -1).mul(labels), -1).mean().neg(),
  },
);
let parameters = net.initialParameters();
let batch: [np.Array, np.Array] | null = null;

/** @returns the loss */
async function step(): Promise<number> {
  const [x, labels] = batch as [np.Array, np.Array];
  const work = net.lossAndGradients(tree.ref(parameters), x.ref, labels.ref);
  const { loss, gradients } = await work.done();
  parameters = tree.map(
    (value: np.Array, gradient: np.Array) => value.sub(gradient.mul(RATE)),
    parameters,
    gradients,
  ) as typeof parameters;
  return loss;
}

serveThread<NetworkTask>({
  async prepare({ batch: total }) {
    tree.dispose(batch ?? []);
    const count = total / ranks;
    const labels = Float32Array.from({ length: count * 10 }, (_, i) =>
      i % 10 === Math.floor(i / 10) % 10 ? 1 : 0,
    );
    batch = [array([count, 28, 28, 1], group.rank), np.array(labels, { shape: [count, 10] })];
    await step();
    return { step: Math.abs((await step()) - Math.log(10)) < 3 ? 0 : Number.NaN };
  },
  turn(_work, calls, samples) {
    const run = async () => {
      await step();
    };
    return samplesOf(run, calls, samples, () => group.barrier().wait());
  },
});
