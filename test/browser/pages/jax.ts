/** A small convolutional network of jax-js with two synchronized layers. */

import { defaultDevice, init, nn, numpy as np, tree } from '@jax-js/jax';
import { getGroupSize, getRank, SyncBatchNorm } from 'syncbn';
import { convolve, maxPool, network, stage } from 'syncbn/jax';
import { hashOf, type Manner, numbersOf, type Trained } from './network.js';

const [SAMPLES, SIDE, CHANNELS, CLASSES] = [4, 8, 6, 3];

function array(shape: number[], seed: number): np.Array {
  const length = shape.reduce((product, size) => product * size, 1);
  return np.array(Float32Array.from({ length }, numbersOf(seed)), { shape });
}

function makeNetwork() {
  const features = (SIDE / 4) ** 2 * CHANNELS;
  return network(
    {
      conv1: stage(
        () => ({ kernel: array([3, 3, 1, CHANNELS], 1) }),
        (x, { kernel }) => convolve(x, kernel),
      ),
      bn1: new SyncBatchNorm(CHANNELS, { channelsLast: true, name: 'bn1' }),
      conv2: stage(
        () => ({ kernel: array([3, 3, CHANNELS, CHANNELS], 2) }),
        (x, { kernel }) => convolve(maxPool(nn.relu(x)), kernel),
      ),
      bn2: new SyncBatchNorm(CHANNELS, { channelsLast: true, name: 'bn2' }),
      dense: stage(
        () => ({ weight: array([features, CLASSES], 3) }),
        (x, { weight }) => np.dot(maxPool(nn.relu(x)).reshape([-1, features]), weight),
      ),
    },
    {
      loss: (logits, labels: np.Array) =>
        np.mean(np.sum(nn.logSoftmax(logits).mul(nn.oneHot(labels, CLASSES)), -1)).mul(-1),
    },
  );
}

/** Trains on this rank's samples, which differ from rank to rank and step to step. */
export async function trainJax(steps: number, manner: Manner): Promise<Trained> {
  await init('wasm');
  defaultDevice('wasm');
  const model = makeNetwork();
  let parameters = model.initialParameters();
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const seed = 100 + step * 64 + getRank();
    const images = array([SAMPLES, SIDE, SIDE, 1], seed);
    const labels = np.array(Int32Array.from({ length: SAMPLES }, (_, n) => (seed + n) % CLASSES));
    const work = model.lossAndGradients(tree.ref(parameters), images, labels);
    const { loss, gradients } = manner === 'wait' ? work.wait() : await work.done();
    losses.push(loss);
    parameters = tree.map(
      (p: np.Array, g: np.Array) => p.sub(g.mul(0.1)),
      parameters,
      gradients,
    ) as typeof parameters;
  }
  const arrays = tree.leaves(parameters).map((leaf) => Float32Array.from(leaf.dataSync()));
  return {
    rank: getRank(),
    size: getGroupSize(),
    losses: [losses[0], losses[losses.length - 1]],
    hash: hashOf(arrays),
  };
}
