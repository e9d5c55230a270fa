/** One rank of one training run of the demo; `main` is called on every rank by `launch`. */

import { parentPort } from 'node:worker_threads';
import { defaultDevice, init as initJax, numpy as np, tree } from '@jax-js/jax';
import { createGroup, getGroupSize, getRank, init, WORLD_GROUP } from 'syncbn';
import { type DigitSets, type Digits, PIXELS, SIDE } from './dataset.js';
import { type DigitsNetwork, type DigitsParameters, descend, digitsNetwork } from './model.js';
import { seededRandom } from './random.js';

export interface TrainSettings {
  readonly digits: DigitSets;
  /** Samples of one step over all ranks; a multiple of the ranks. */
  readonly batchSize: number;
  readonly steps: number;
  readonly seed: number;
  /** Largest learning rate; see {@link rateOf}. */
  readonly learningRate: number;
  /** Whether statistics are those of all ranks, or of each alone. */
  readonly synchronized: boolean;
  /** Steps between measurements of the accuracy; the last step is always followed by one. */
  readonly measureEvery: number;
}

/** What rank 0 says after each step. */
export interface StepMessage {
  readonly step: number;
  readonly loss: number;
  readonly accuracy?: number;
}

/** Samples of one forward pass in a measurement. */
const TEST_BATCH = 100;

/** Trains and, on rank 0, reports each step. */
export async function main(settings: TrainSettings): Promise<void> {
  await init();
  await initJax('wasm');
  defaultDevice('wasm');
  const rank = getRank();
  const alone = `rank ${rank} alone`;
  const group = createGroup(...groupOf(settings.synchronized, alone, rank));
  const model = digitsNetwork(group, settings.seed);
  let parameters = model.initialParameters();
  let velocity = tree.map(
    (p: np.Array) => np.zerosLike(p),
    tree.ref(parameters),
  ) as DigitsParameters;
  const order = sampleOrder(settings);
  for (let step = 0; step < settings.steps; step++) {
    const [images, labels] = batchOf(settings.digits.train, ownSamples(order, step, settings));
    const { loss, gradients } = model.lossAndGradients(tree.ref(parameters), images, labels).wait();
    const rate = rateOf(step, settings);
    ({ parameters, velocity } = descend(parameters, velocity, gradients, np.array(rate)));
    if (rank !== 0) continue;
    const accuracy = isMeasured(step + 1, settings)
      ? accuracyOf(model, parameters, settings.digits.test)
      : undefined;
    parentPort?.postMessage({
      step: step + 1,
      loss,
      ...(accuracy !== undefined && { accuracy }),
    } satisfies StepMessage);
  }
  tree.dispose([parameters, velocity]);
}

function groupOf(synchronized: boolean, alone: string, rank: number): [string, number[]] {
  if (!synchronized) return [alone, [rank]];
  return [WORLD_GROUP, Array.from({ length: getGroupSize() }, (_, i) => i)];
}

function isMeasured(step: number, { steps, measureEvery }: TrainSettings): boolean {
  return step === steps || step % measureEvery === 0;
}

/** Share of the steps in which the learning rate rises. */
const WARM_UP = 0.2;

/**
 * The learning rate rises in a straight line, as Goyal et al. ("Accurate, Large Minibatch SGD",
 * 2017) advise, then falls to 0 in one. At the full rate the first steps are chaotic: rounding
 * errors of 1e-7 had grown to 1e-2 after 100 steps; this way they stay near 1e-6.
 */
function rateOf(step: number, { learningRate, steps }: TrainSettings): number {
  const rise = (step + 1) / (WARM_UP * steps);
  const fall = (steps - step) / ((1 - WARM_UP) * steps);
  return learningRate * Math.min(rise, fall);
}

/** Indices of the training samples in the order in which steps take them; each epoch anew. */
function sampleOrder({ digits, steps, batchSize, seed }: TrainSettings): Uint32Array {
  const random = seededRandom(seed);
  const { count } = digits.train;
  const order = new Uint32Array(steps * batchSize);
  const epoch = Uint32Array.from({ length: count }, (_, i) => i);
  for (let at = 0; at < order.length; at++) {
    // Fisher and Yates, as far as it is needed.
    const from = at % count;
    const other = from + Math.floor(random() * (count - from));
    [epoch[from], epoch[other]] = [epoch[other], epoch[from]];
    order[at] = epoch[from];
  }
  return order;
}

/** This rank's share of a step's samples. */
function ownSamples(order: Uint32Array, step: number, { batchSize }: TrainSettings): Uint32Array {
  const share = batchSize / getGroupSize();
  const first = step * batchSize + getRank() * share;
  return order.subarray(first, first + share);
}

/** Images, shape (n, 28, 28, 1) in [0, 1], and labels of some samples. */
function batchOf({ images, labels }: Digits, samples: ArrayLike<number>): [np.Array, np.Array] {
  const pixels = new Float32Array(samples.length * PIXELS);
  for (let i = 0; i < samples.length; i++) {
    const image = images.subarray(samples[i] * PIXELS, (samples[i] + 1) * PIXELS);
    for (let p = 0; p < PIXELS; p++) pixels[i * PIXELS + p] = image[p] / 255;
  }
  const chosen = Int32Array.from(samples, (sample) => labels[sample]);
  return [np.array(pixels, { shape: [samples.length, SIDE, SIDE, 1] }), np.array(chosen)];
}

/** Share of the digits that the network tells right, by its running statistics. */
function accuracyOf(model: DigitsNetwork, parameters: DigitsParameters, digits: Digits): number {
  let right = 0;
  for (let first = 0; first < digits.count; first += TEST_BATCH) {
    const count = Math.min(TEST_BATCH, digits.count - first);
    const samples = Uint32Array.from({ length: count }, (_, i) => first + i);
    const [images, labels] = batchOf(digits, samples);
    labels.dispose();
    const chosen = np.argmax(model.predict(tree.ref(parameters), images), -1).dataSync();
    for (let i = 0; i < count; i++) if (chosen[i] === digits.labels[first + i]) right++;
  }
  return right / digits.count;
}
