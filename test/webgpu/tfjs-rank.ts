/** Calls that TensorFlow.js' webgpu backend refuses on one of several ranks; see tfjs-checks.ts. */

import { getRank, init } from 'syncbn';
import { type Failure, failureOf } from './checks.js';
import { openWebgpu } from './open.js';

export interface TfjsReport {
  /** By what was called. */
  refused: Record<string, Failure>;
  /** Rank 0 trains on cpu, the other on webgpu. */
  mixed: Failure;
  predicted: Float32Array;
}

export async function main(): Promise<TfjsReport> {
  await init();
  await openWebgpu();
  // After WebGPU is there.
  const tf = await import('@tensorflow/tfjs');
  await import('@tensorflow/tfjs-backend-webgpu');
  const { averageMetrics, broadcastWeights, distribute, syncBatchNormalization, trainingStep } =
    await import('syncbn/tfjs');
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  await tf.setBackend('webgpu');

  const batch = () => tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
  const x = batch();
  const train = () =>
    void syncBatchNormalization({ name: 'bn' }).apply(batch(), { training: true });
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  // A prediction puts the weights on the GPU.
  tf.dispose(model.predict(x));
  const variable = tf.variable(tf.ones([2]));
  const cost = () => tf.sum(tf.square(variable)) as import('@tensorflow/tfjs').Scalar;
  const optimizer = distribute(tf.train.sgd(0.1));

  const calls: Record<string, () => unknown> = {
    layer: train,
    'distribute(model)': () => distribute(model),
    broadcastWeights: () => broadcastWeights(model),
    'an optimizer': () => void optimizer.minimize(cost),
    // The ranks' samples differ, so that they weigh differently.
    trainingStep: () => trainingStep(1 + getRank(), () => void optimizer.minimize(cost)),
    averageMetrics: () => averageMetrics(tf.sum(x) as import('@tensorflow/tfjs').Scalar),
  };
  const refused: Record<string, Failure> = {};
  for (const [name, call] of Object.entries(calls)) refused[name] = await failureOf(call);
  const mixed = await failureOf(async () => {
    if (getRank() === 0) await tf.setBackend('cpu');
    train();
  });
  await tf.setBackend('webgpu');
  const y = tf.sequential({ layers: [syncBatchNormalization({ inputShape: [2] })] }).predict(x);
  const predicted = Float32Array.from(await (y as import('@tensorflow/tfjs').Tensor).data());
  setImmediate(() => process.exit(0));
  return { refused, mixed, predicted };
}
