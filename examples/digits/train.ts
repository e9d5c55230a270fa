/**
 * One rank of one training run of the demo. `launch` calls `main` on every rank that is a thread;
 * ranks that a launcher has started call `train`.
 */

import { parentPort } from 'node:worker_threads';
import { defaultDevice, init as initJax, numpy as np, tree } from '@jax-js/jax';
import { createGroup, init, type ProcessGroup } from 'syncbn';
import { type DigitSets, type Digits, PIXELS, SIDE } from './dataset.js';
import { type DigitsNetwork, type DigitsParameters, descend, digitsNetwork } from './model.js';
import { ownSamples, rateOf, type Schedule, sampleOrder } from './schedule.js';

export interface TrainSettings extends Schedule {
  readonly digits: DigitSets;
  /** Ranks that train: the first of the world. The others have no part in it. */
  readonly ranks: number;
  /** Whether statistics are those of all ranks, or of each alone. */
  readonly synchronized: boolean;
  /** Whether the bits must not depend on the number of ranks; see reproducible.ts. */
  readonly reproducible: boolean;
  /** Steps between measurements of the accuracy, one of which follows the last step; null: none. */
  readonly measureEvery: number | null;
}

/** What rank 0 says after each step. */
export interface StepMessage {
  readonly step: number;
  readonly loss: number;
  readonly accuracy?: number;
}

/** Samples of one forward pass in a measurement. */
const TEST_BATCH = 100;

/** Trains on every rank of a world of threads; rank 0 posts each step to the one who launched it. */
export async function main(settings: TrainSettings): Promise<void> {
  await train(settings, (message) => parentPort?.postMessage(message));
}

/** Trains on this rank of the world; `onStep` is called after each step, on rank 0 alone. */
export async function train(
  settings: TrainSettings,
  onStep: (message: StepMessage) => void | Promise<void>,
): Promise<void> {
  await init();
  const { ranks, synchronized, steps, digits } = settings;
  const all = Array.from({ length: ranks }, (_, rank) => rank);
  const group = createGroup(`ranks 0 to ${ranks - 1}`, all);
  if (group.rank < 0) return;
  const alone = createGroup(`rank ${group.rank} alone`, [group.rank]);
  await initJax('wasm');
  defaultDevice('wasm');
  if (settings.reproducible) {
    await trainExactly(settings, group, onStep);
    return;
  }
  const model = digitsNetwork(group, synchronized ? group : alone, settings.seed);
  let parameters = model.initialParameters();
  let velocity = tree.map(
    (p: np.Array) => np.zerosLike(p),
    tree.ref(parameters),
  ) as DigitsParameters;
  const order = sampleOrder(digits.train.count, settings);
  for (let step = 0; step < steps; step++) {
    const samples = ownSamples(order, step, settings.batchSize, group);
    const [images, labels] = arraysOf(pixelsOf(digits.train, samples));
    const { loss, gradients } = model.lossAndGradients(tree.ref(parameters), images, labels).wait();
    const rate = rateOf(step, settings);
    ({ parameters, velocity } = descend(parameters, velocity, gradients, np.array(rate)));
    if (group.rank !== 0) continue;
    const accuracy = isMeasured(step + 1, settings)
      ? accuracyOf(model, parameters, digits.test)
      : undefined;
    await onStep({ step: step + 1, loss, ...(accuracy !== undefined && { accuracy }) });
  }
  tree.dispose([parameters, velocity]);
  model.dispose();
}

/** The same with exact sums. */
async function trainExactly(
  settings: TrainSettings,
  group: ProcessGroup,
  onStep: (message: StepMessage) => void | Promise<void>,
): Promise<void> {
  const { ReproducibleNetwork } = await import('./reproducible.js');
  const { batchSize, digits, steps, seed } = settings;
  const model = new ReproducibleNetwork(group, seed);
  const order = sampleOrder(digits.train.count, settings);
  for (let step = 0; step < steps; step++) {
    const samples = ownSamples(order, step, batchSize, group);
    const { pixels, chosen } = pixelsOf(digits.train, samples);
    const loss = model.step(pixels, chosen, batchSize, rateOf(step, settings));
    if (group.rank !== 0) continue;
    const accuracy = isMeasured(step + 1, settings)
      ? shareOfRight(digits.test, ({ pixels: images }, count) => model.classify(images, count))
      : undefined;
    await onStep({ step: step + 1, loss, ...(accuracy !== undefined && { accuracy }) });
  }
}

function isMeasured(step: number, { steps, measureEvery }: TrainSettings): boolean {
  if (measureEvery === null) return false;
  return step === steps || step % measureEvery === 0;
}

interface Batch {
  /** Images one behind the other, in [0, 1]. */
  readonly pixels: Float32Array<ArrayBuffer>;
  readonly chosen: Int32Array<ArrayBuffer>;
}

/** Images and labels of some samples. */
function pixelsOf({ images, labels }: Digits, samples: ArrayLike<number>): Batch {
  const pixels = new Float32Array(samples.length * PIXELS);
  for (let i = 0; i < samples.length; i++) {
    const image = images.subarray(samples[i] * PIXELS, (samples[i] + 1) * PIXELS);
    for (let p = 0; p < PIXELS; p++) pixels[i * PIXELS + p] = image[p] / 255;
  }
  return { pixels, chosen: Int32Array.from(samples, (sample) => labels[sample]) };
}

/** Images, shape (n, 28, 28, 1), and labels as jax-js has them. */
function arraysOf({ pixels, chosen }: Batch): [np.Array, np.Array] {
  return [np.array(pixels, { shape: [chosen.length, SIDE, SIDE, 1] }), np.array(chosen)];
}

/** Share of the digits that the network tells right, by its running statistics. */
function accuracyOf(model: DigitsNetwork, parameters: DigitsParameters, digits: Digits): number {
  return shareOfRight(digits, (batch) => {
    const [images, labels] = arraysOf(batch);
    labels.dispose();
    return np.argmax(model.predict(tree.ref(parameters), images), -1).dataSync();
  });
}

/** @param classify the classes of some images */
function shareOfRight(
  digits: Digits,
  classify: (batch: Batch, count: number) => ArrayLike<number>,
): number {
  let right = 0;
  for (let first = 0; first < digits.count; first += TEST_BATCH) {
    const count = Math.min(TEST_BATCH, digits.count - first);
    const samples = Uint32Array.from({ length: count }, (_, i) => first + i);
    const classes = classify(pixelsOf(digits, samples), count);
    for (let i = 0; i < count; i++) if (classes[i] === digits.labels[first + i]) right++;
  }
  return right / digits.count;
}
