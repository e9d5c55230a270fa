/** Many steps of a convolutional network on one rank of a test world, and what they leave behind. */

import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { allocateTensor, getRank } from 'syncbn';
import { distribute, syncBatchNormalization } from 'syncbn/tfjs';
import { registerWasmGradients } from 'syncbn/tfjs/wasm-gradients';
import { useBackend } from './run-tfjs.js';

export interface MemoryReport {
  /** Tensors, data, bytes of TensorFlow.js' memory and of the kernels', after a few steps. */
  warm: number[];
  /** And after all. */
  done: number[];
  lossAtStart: number;
  lossAtEnd: number;
}

export interface MemoryScript {
  backend: string;
  steps: number;
}

function counts(): number[] {
  const { wasm } = tf.backend() as unknown as { wasm?: { HEAPU8: Uint8Array } };
  using probe = allocateTensor([1]);
  return [
    tf.memory().numTensors,
    tf.engine().backend.numDataIds(),
    wasm?.HEAPU8.byteLength ?? 0,
    probe.data.buffer.byteLength,
  ];
}

function network(): tf.Sequential {
  const { layers } = tf;
  const model = tf.sequential({
    layers: [
      layers.conv2d({ inputShape: [8, 8, 1], filters: 4, kernelSize: 3, useBias: false }),
      syncBatchNormalization({ axis: 3 }),
      layers.reLU(),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 2, activation: 'softmax' }),
    ],
  });
  model.compile({
    optimizer: tf.train.adam(0.01),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  return distribute(model);
}

/** Rank 1 has fewer samples, and every third step none. */
export async function runMemory({ backend, steps }: MemoryScript): Promise<MemoryReport> {
  await useBackend(backend);
  registerWasmGradients();
  const model = network();
  const parts = [0, 1, 2].map((i) => {
    const count = getRank() === 0 ? 6 : 2 * i;
    const x = tf.randomNormal([count, 8, 8, 1], 0, 1, 'float32', 3 + i);
    const sums = tf.sum(x, [1, 2, 3]);
    return { x, y: tf.cast(tf.oneHot(tf.cast(tf.greater(sums, 0), 'int32'), 2), 'float32') };
  });
  const losses: number[] = [];
  let warm: number[] = [];
  for (let i = 0; i < steps; i++) {
    if (i === 20) warm = counts();
    const { x, y } = parts[i % 3];
    const [loss] = (await model.trainOnBatch(x, y)) as number[];
    losses.push(loss);
  }
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [lossAtStart, lossAtEnd] = [losses.slice(0, 12), losses.slice(-12)].map(mean);
  return { warm, done: counts(), lossAtStart, lossAtEnd };
}

/** Steps that fail in a meeting of the ranks, with tensors in the making. */
export async function runFailing(): Promise<MemoryReport> {
  await useBackend('wasm');
  const channels = 3 + getRank();
  const layer = syncBatchNormalization({ name: 'differs' });
  layer.build([null, channels]);
  const x = tf.ones([4, channels]);
  const warm = counts();
  for (let i = 0; i < 5; i++) {
    try {
      tf.tidy(() => void layer.apply(x, { training: true }));
    } catch (error) {
      if ((error as Error).name !== 'MismatchError') throw error;
    }
  }
  return { warm, done: counts(), lossAtStart: 0, lossAtEnd: 0 };
}
