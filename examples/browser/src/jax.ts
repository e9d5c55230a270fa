/** The digits' network in jax-js. */

import { defaultDevice, init, numpy as np, tree } from '@jax-js/jax';
import type { ProcessGroup, SyncBatchNorm } from 'syncbn';
import { SIDE } from '../../digits/dataset.js';
import { type DigitsParameters, descend, digitsNetwork } from '../../digits/model.js';
import type { Trainer } from './train.js';
import type { NormWeights, Weights } from './weights.js';

const imagesOf = (images: Float32Array) =>
  np.array(images, { shape: [images.length / SIDE ** 2, SIDE, SIDE, 1] });

/**
 * A trainer of the ranks in `trainers`; statistics are those of the ranks in `peers`.
 * @param blocks whether this rank may block, or must await the others
 */
export async function jaxTrainer(
  trainers: ProcessGroup,
  peers: ProcessGroup,
  seed: number,
  blocks: boolean,
): Promise<Trainer> {
  await init('wasm');
  defaultDevice('wasm');
  const model = digitsNetwork(trainers, peers, seed);
  let parameters = model.initialParameters();
  let velocity = tree.map(
    (p: np.Array) => np.zerosLike(p),
    tree.ref(parameters),
  ) as DigitsParameters;
  return {
    async step(images, labels, rate) {
      const work = model.lossAndGradients(tree.ref(parameters), imagesOf(images), np.array(labels));
      const { loss, gradients } = blocks ? work.wait() : await work.done();
      ({ parameters, velocity } = descend(parameters, velocity, gradients, np.array(rate)));
      return loss;
    },
    classify: (images) =>
      np.argmax(model.predict(tree.ref(parameters), imagesOf(images)), -1).dataSync(),
    weights(): Weights {
      const { conv1, conv2, dense1, dense2, bn1, bn2, bn3 } = parameters;
      const { layers } = model;
      return {
        conv1: numbers(conv1.kernel),
        conv2: numbers(conv2.kernel),
        dense1: numbers(dense1.weight),
        dense2: numbers(dense2.weight),
        bias: numbers(dense2.bias),
        norms: [normOf(bn1, layers.bn1), normOf(bn2, layers.bn2), normOf(bn3, layers.bn3)],
      };
    },
    means: () => Float32Array.from(model.layers.bn3.runningMean!.toFloats()),
    dispose() {
      tree.dispose([parameters, velocity]);
      model.dispose();
    },
  };
}

function normOf(
  { weight, bias }: { weight: np.Array; bias: np.Array },
  { runningMean, runningVar }: SyncBatchNorm,
): NormWeights {
  return {
    weight: numbers(weight),
    bias: numbers(bias),
    mean: Float32Array.from(runningMean!.toFloats()),
    variance: Float32Array.from(runningVar!.toFloats()),
  };
}

/** A copy of an array's numbers; the array stays. */
function numbers(array: np.Array): Float32Array {
  return Float32Array.from(array.ref.dataSync() as Float32Array);
}
