/** TensorFlow.js on one rank of a test world. */

import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { getRank } from 'syncbn';
import { distribute, shard, syncBatchNormalization, trainingStep } from 'syncbn/tfjs';
import {
  pairs,
  part,
  perceptron,
  type Samples,
  type SequenceKind,
  samples,
  sequenceModel,
  sequences,
  twoInputs,
  weightsOf,
} from '../tfjs/models.js';

/** What a rank's training came to. */
export interface TrainingReport {
  weights: number[];
  history: Record<string, (number | tf.Tensor)[]>;
  /** Losses as the user's callback saw them at the end of epochs. */
  seen: number[];
  /** Tensors and data that the training left behind. */
  leaked: [number, number];
}

export interface FitScript {
  /** Samples of each rank in each step. */
  split: number[][];
  mode: 'fit' | 'fitDataset' | 'trainOnBatch';
  epochs: number;
  backend?: string;
  /** Samples that all ranks together validate, split as evenly as possible. */
  validation?: number;
}

/** 'other' is a backend whose tensors cannot be seen as arrays; it has cpu's kernels. */
export async function useBackend(name: string): Promise<void> {
  if (name === 'other' && tf.findBackendFactory(name) == null) {
    tf.registerBackend(name, tf.findBackendFactory('cpu'));
    tf.copyRegisteredKernels('cpu', name);
  }
  await tf.setBackend(name);
}

/** This rank's samples of each of its steps. */
function ownParts(split: number[][], all: Samples): Samples[] {
  let at = 0;
  const own: Samples[] = [];
  for (const step of split) {
    step.forEach((count, rank) => {
      if (rank === getRank() && count > 0) own.push(part(all, at, count));
      at += count;
    });
  }
  return own;
}

function together(parts: Samples[]): Samples {
  if (parts.length === 0) return { x: tf.zeros([0, 6]), y: tf.zeros([0, 3]) };
  return {
    x: tf.concat(parts.map(({ x }) => x)),
    y: tf.concat(parts.map(({ y }) => y)),
  };
}

/** Tensors and data of this thread. */
const counts = () => [tf.memory().numTensors, tf.engine().backend.numDataIds()];

/** Trains the perceptron, from other weights on each rank. */
export async function runFit(script: FitScript): Promise<TrainingReport> {
  const { split, mode, epochs, backend = 'wasm', validation } = script;
  await useBackend(backend);
  const parts = ownParts(split, samples(split.flat().reduce((sum, n) => sum + n, 0)));
  const { x, y } = together(parts);
  const model = distribute(perceptron(syncBatchNormalization, getRank() * 100));
  const seen: number[] = [];
  const callbacks = { onEpochEnd: (_: number, logs?: tf.Logs) => void seen.push(logs!.loss) };
  const held = validation === undefined ? null : shard(samples(validation, 9) as never);
  const none = together([]);
  const before = counts();
  // Adam keeps two moments of each weight.
  const moments = 2 * model.trainableWeights.length;
  let history: TrainingReport['history'] = {};
  if (mode === 'fit') {
    const validationData =
      held && ([(held as Samples).x, (held as Samples).y] as [tf.Tensor, tf.Tensor]);
    const batchSize = parts[0]?.x.shape[0] ?? 5;
    const args = { batchSize, epochs, shuffle: false, callbacks };
    ({ history } = await model.fit(x, y, validationData ? { ...args, validationData } : args));
  } else if (mode === 'fitDataset') {
    const copies = function* () {
      for (const own of parts) yield { xs: own.x.clone(), ys: own.y.clone() };
    };
    ({ history } = await model.fitDataset(tf.data.generator(copies as never), {
      epochs,
      callbacks,
    }));
  } else {
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const [i] of split.entries()) {
        const own = parts[i] ?? none;
        const [loss] = (await model.trainOnBatch(own.x, own.y)) as number[];
        seen.push(loss);
      }
    }
  }
  const leaked = counts().map((count, i) => count - before[i] - moments) as [number, number];
  return { weights: weightsOf(model), history, seen, leaked };
}

/** Trains two inputs and two outputs on a sharded dataset, validated on another. */
export async function runPairs(script: {
  count: number;
  batchSize: number;
  batchesPerEpoch?: number;
}): Promise<TrainingReport> {
  await tf.setBackend('wasm');
  const model = distribute(twoInputs(syncBatchNormalization, getRank() * 10));
  const { batchSize, batchesPerEpoch } = script;
  const own = shard(tf.data.array(pairs(script.count))).batch(batchSize);
  const validationData = shard(tf.data.array(pairs(7))).batch(2) as never;
  const args = { epochs: 3, verbose: 0, validationData };
  const { history } = await (batchesPerEpoch === undefined
    ? model.fitDataset(own, args)
    : model.fitDataset(own.repeat(), { ...args, batchesPerEpoch }));
  return { weights: weightsOf(model), history, seen: [], leaked: [0, 0] };
}

export interface MaskedScript {
  kind: SequenceKind;
  /** Sequences of each rank in each step. */
  split: number[][];
  epochs: number;
}

/** Trains a model of sequences, whose masks count other parts of each rank's batches. */
export async function runMasked({ kind, split, epochs }: MaskedScript): Promise<TrainingReport> {
  await tf.setBackend('cpu');
  const all = sequences(kind, split.flat());
  const model = distribute(sequenceModel(kind, syncBatchNormalization, getRank() * 10));
  const seen: number[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    let at = 0;
    for (const step of split) {
      const from = at + step.slice(0, getRank()).reduce((sum, n) => sum + n, 0);
      at += step.reduce((sum, n) => sum + n, 0);
      const { x, y } = part(all, from, step[getRank()]);
      seen.push((await model.trainOnBatch(x, y)) as number);
    }
  }
  return { weights: weightsOf(model), history: {}, seen, leaked: [0, 0] };
}

/** A loop of one's own with uneven and empty parts. */
export async function runLoop({ split }: { split: number[][] }): Promise<TrainingReport> {
  await tf.setBackend('wasm');
  const all = samples(split.flat().reduce((sum, n) => sum + n, 0));
  const model = perceptron(syncBatchNormalization);
  const optimizer = distribute(tf.train.momentum(0.1, 0.9));
  const seen: number[] = [];
  let at = 0;
  for (const step of split) {
    const from = at + step.slice(0, getRank()).reduce((sum, n) => sum + n, 0);
    at += step.reduce((sum, n) => sum + n, 0);
    const count = step[getRank()];
    const own = count > 0 ? part(all, from, count) : standIn();
    const cost = trainingStep(count, () => optimizer.minimize(() => lossOf(model, own), true));
    seen.push(cost!.dataSync()[0]);
  }
  return { weights: weightsOf(model), history: {}, seen, leaked: [0, 0] };
}

/** Values that would spoil everything if they were used. */
function standIn(): Samples {
  return { x: tf.fill([1, 6], Number.NaN), y: tf.fill([1, 3], Number.NaN) };
}

export function lossOf(model: tf.LayersModel, { x, y }: Samples): tf.Scalar {
  const logits = model.apply(x, { training: true }) as tf.Tensor;
  return tf.losses.softmaxCrossEntropy(y, logits);
}
