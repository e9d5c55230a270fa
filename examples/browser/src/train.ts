/** One rank of one run, whatever framework computes. */

import { getGroupSize, getRank } from 'syncbn';
import { type Digits, PIXELS } from '../../digits/dataset.js';
import { ownSamples, rateOf, sampleOrder } from '../../digits/schedule.js';
import type { RankMessage, RankSettings } from './protocol.js';
import type { Weights } from './weights.js';

/** The digits' network in a framework, on this rank. */
export interface Trainer {
  /**
   * One step with this rank's share of the batch, on all ranks.
   * @param images n x 28 x 28 in [0, 1]
   * @returns the mean loss over the batches of all ranks
   */
  step(images: Float32Array, labels: Int32Array, rate: number): number | Promise<number>;
  /** The most likely digit of each image. */
  classify(images: Float32Array): ArrayLike<number>;
  weights(): Weights;
  /** Running means of the last normalization. */
  means(): Float32Array;
  dispose(): void;
}

/** Samples of one forward pass in a measurement. */
const TEST_BATCH = 100;
/** Steps between two looks at the running means. */
const MEANS_EVERY = 5;
/** Channels whose running means are shown. */
const SHOWN_CHANNELS = 16;

/** Trains; tells the page about it as it goes. */
export async function train(
  trainer: Trainer,
  settings: RankSettings,
  tell: (message: RankMessage) => void,
): Promise<void> {
  const { digits, steps } = settings;
  const [rank, size] = [getRank(), getGroupSize()];
  const order = sampleOrder(digits.train.count, settings);
  for (let step = 1; step <= steps; step++) {
    const samples = ownSamples(order, step - 1, settings.batchSize, { rank, size });
    const [images, labels] = batchOf(digits.train, samples);
    const begun = performance.now();
    const loss = await trainer.step(images, labels, rateOf(step - 1, settings));
    const seconds = (performance.now() - begun) / 1000;
    if (rank === 0) tell({ kind: 'step', step, loss, seconds });
    if (step % MEANS_EVERY === 0 || step === steps) {
      tell({ kind: 'means', step, means: trainer.means().subarray(0, SHOWN_CHANNELS) });
    }
    if (rank === 0 && isMeasured(step, settings)) {
      const accuracy = accuracyOf(trainer, digits.test);
      tell({ kind: 'accuracy', step, accuracy, weights: trainer.weights() });
    }
  }
  trainer.dispose();
}

function isMeasured(step: number, { steps, measureEvery }: RankSettings): boolean {
  return measureEvery !== null && (step === steps || step % measureEvery === 0);
}

function batchOf(
  { images, labels }: Digits,
  samples: ArrayLike<number>,
): [Float32Array, Int32Array] {
  const pixels = new Float32Array(samples.length * PIXELS);
  for (let i = 0; i < samples.length; i++) {
    const image = images.subarray(samples[i] * PIXELS, (samples[i] + 1) * PIXELS);
    for (let p = 0; p < PIXELS; p++) pixels[i * PIXELS + p] = image[p] / 255;
  }
  return [pixels, Int32Array.from(samples, (sample) => labels[sample])];
}

function accuracyOf(trainer: Trainer, digits: Digits): number {
  let right = 0;
  for (let first = 0; first < digits.count; first += TEST_BATCH) {
    const count = Math.min(TEST_BATCH, digits.count - first);
    const samples = Uint32Array.from({ length: count }, (_, i) => first + i);
    const [images, labels] = batchOf(digits, samples);
    const told = trainer.classify(images);
    for (let i = 0; i < count; i++) if (told[i] === labels[i]) right++;
  }
  return right / digits.count;
}
