/** Predictions and training steps of a convolutional network in TensorFlow.js, on one rank. */

import { init } from 'syncbn';
import { openWebgpu } from '../../test/webgpu/open.js';
import type { PartOptions, Times } from './part.js';

const WARM_UP = 4;

export async function measureTensorFlow(
  device: 'webgpu' | 'wasm',
  { steps, batches }: PartOptions,
  emit: (times: Times) => void,
): Promise<void> {
  await init();
  if (device === 'webgpu') await openWebgpu();
  const tf = await import('@tensorflow/tfjs');
  await import(`@tensorflow/tfjs-backend-${device}`);
  const { distribute, syncBatchNormalization } = await import('syncbn/tfjs');
  const { registerWasmGradients } = await import('syncbn/tfjs/wasm-gradients');
  await tf.setBackend(device);
  if (device === 'wasm') registerWasmGradients();

  const { layers } = tf;
  const normalized = () => [syncBatchNormalization(), layers.reLU()];
  const block = (filters: number, more = {}) => [
    layers.conv2d({ filters, kernelSize: 3, padding: 'same', useBias: false, ...more }),
    ...normalized(),
    layers.maxPooling2d({ poolSize: 2 }),
  ];
  const model = tf.sequential({
    layers: [
      ...block(16, { inputShape: [28, 28, 1] }),
      ...block(32),
      layers.flatten(),
      layers.dense({ units: 64, useBias: false }),
      ...normalized(),
      layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: tf.train.momentum(0.02, 0.9), loss: 'categoricalCrossentropy' });
  distribute(model);

  const timed = async (what: string, batch: number, run: () => Promise<void>) => {
    const times: number[] = [];
    for (let i = 0; i < WARM_UP + steps; i++) {
      const start = performance.now();
      await run();
      if (i >= WARM_UP) times.push(performance.now() - start);
    }
    emit({ what, device, ranks: 1, batch, times });
  };
  for (const batch of batches) {
    const x = tf.randomUniform([batch, 28, 28, 1], 0, 1, 'float32', 1);
    const digits = tf.tensor1d(
      Array.from({ length: batch }, (_, i) => i % 10),
      'int32',
    );
    const y = tf.cast(tf.oneHot(digits, 10), 'float32');
    await timed('prediction', batch, async () => {
      const predicted = model.predict(x) as InstanceType<typeof tf.Tensor>;
      await predicted.data();
      predicted.dispose();
    });
    await timed('training step', batch, async () => {
      await model.trainOnBatch(x, y);
    });
  }
}
