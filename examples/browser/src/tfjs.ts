/** The digits' network in TensorFlow.js, on its wasm backend. */

import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import {
  argMax,
  env,
  losses,
  oneHot,
  setBackend,
  type Tensor,
  type Tensor4D,
  tensor,
  tensor1d,
  tensor4d,
  tidy,
  train,
} from '@tensorflow/tfjs-core';
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';
import type { ProcessGroup } from 'syncbn';
import { distribute, syncBatchNormalization, trainingStep } from 'syncbn/tfjs';
import { registerWasmGradients } from 'syncbn/tfjs/wasm-gradients';
import { CLASSES, SIDE } from '../../digits/dataset.js';
import type { Trainer } from './train.js';
import { CHANNELS, initialKernel, type NormWeights, SHAPES, type Weights } from './weights.js';

const MOMENTUM = 0.9;

/** A trainer of the ranks in `trainers`; statistics are those of the ranks in `peers`. */
export async function tfjsTrainer(
  trainers: ProcessGroup,
  peers: ProcessGroup,
  seed: number,
): Promise<Trainer> {
  await startBackend();
  const model = digitsModel(peers, seed);
  const optimizer = distribute(train.momentum(0.01, MOMENTUM), { group: trainers });
  return {
    step(images, labels, rate) {
      optimizer.setLearningRate(rate);
      const share = labels.length;
      const cost = trainingStep(share, () => minimize(model, optimizer, images, labels), {
        group: trainers,
      });
      const sums = Float64Array.of((cost ?? 0) * share, share);
      trainers.allReduce(sums, { label: 'loss' }).wait();
      return sums[0] / sums[1];
    },
    classify: (images) =>
      tidy(() => argMax(model.predict(imagesOf(images)) as Tensor, -1).dataSync()),
    weights: () => weightsOf(model),
    means: () => Float32Array.from(model.getLayer('bn3').getWeights()[2].dataSync()),
    dispose: () => model.dispose(),
  };
}

async function startBackend(): Promise<void> {
  const plain = new URL(
    '../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm',
    import.meta.url,
  );
  const simd = new URL(
    '../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm',
    import.meta.url,
  );
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plain.href,
    'tfjs-backend-wasm-simd.wasm': simd.href,
    'tfjs-backend-wasm-threaded-simd.wasm': simd.href,
  });
  // A rank is a thread: one of its own would start more, all of them at once.
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  registerWasmGradients();
  await setBackend('wasm');
}

const imagesOf = (images: Float32Array): Tensor4D =>
  tensor4d(images, [images.length / SIDE ** 2, SIDE, SIDE, 1]);

function digitsModel(peers: ProcessGroup, seed: number): LayersModel {
  const norm = (name: string) =>
    syncBatchNormalization({ name, momentum: 0.9, epsilon: 1e-5, processGroup: peers });
  const convolution = (name: string, filters: number, inputShape?: number[]) =>
    layers.conv2d({
      ...{ name, filters, kernelSize: 3, padding: 'same', useBias: false },
      ...(inputShape && { inputShape }),
    });
  const model = sequential({
    layers: [
      convolution('conv1', CHANNELS[0], [SIDE, SIDE, 1]),
      norm('bn1'),
      layers.reLU(),
      layers.maxPooling2d({ poolSize: 2 }),
      convolution('conv2', CHANNELS[1]),
      norm('bn2'),
      layers.reLU(),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ name: 'dense1', units: CHANNELS[2], useBias: false }),
      norm('bn3'),
      layers.reLU(),
      layers.dense({ name: 'dense2', units: CLASSES }),
    ],
  });
  for (const name of Object.keys(SHAPES) as (keyof typeof SHAPES)[]) {
    const layer = model.getLayer(name);
    const kernel = tensor(initialKernel(name, seed), [...SHAPES[name]]);
    layer.setWeights([kernel, ...layer.getWeights().slice(1)]);
    kernel.dispose();
  }
  return model;
}

function minimize(
  model: LayersModel,
  optimizer: ReturnType<typeof train.momentum>,
  images: Float32Array,
  labels: Int32Array,
): number {
  return tidy(() => {
    const [x, y] = [imagesOf(images), oneHot(tensor1d(labels, 'int32'), CLASSES)];
    const cost = optimizer.minimize(
      () => losses.softmaxCrossEntropy(y, model.apply(x, { training: true }) as Tensor),
      true,
    );
    return cost?.dataSync()[0] ?? 0;
  });
}

function weightsOf(model: LayersModel): Weights {
  const numbers = (name: string) =>
    model
      .getLayer(name)
      .getWeights()
      .map((weight) => Float32Array.from(weight.dataSync() as Float32Array));
  const norms = ['bn1', 'bn2', 'bn3'].map((name): NormWeights => {
    const [weight, bias, mean, variance] = numbers(name);
    return { weight, bias, mean, variance };
  });
  const [dense2, bias] = numbers('dense2');
  const [[conv1], [conv2], [dense1]] = ['conv1', 'conv2', 'dense1'].map(numbers);
  return { conv1, conv2, dense1, dense2, bias, norms };
}
