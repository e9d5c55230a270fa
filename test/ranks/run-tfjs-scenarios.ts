/** What ranks may do to one another while they train, each a scenario by name. */

import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { createGroup, getGroupSize, getRank } from 'syncbn';
import {
  averageMetrics,
  broadcastWeights,
  distribute,
  shard,
  syncBatchNormalization,
  trainingStep,
} from 'syncbn/tfjs';
import { part, perceptron, type Samples, samples, weightsOf } from '../tfjs/models.js';
import { lossOf } from './run-tfjs.js';

export interface Scenario {
  name: keyof typeof SCENARIOS;
  /** World rank that does it. */
  by?: number;
}

/** What a call of `fit` came to. */
export interface FitOutcome {
  epochs: number;
  /** Losses after each of this rank's batches. */
  batches: number[];
  history: Record<string, unknown[]>;
  weights: number[];
  error: { name: string; message: string } | null;
}

type FitArgs = tf.ModelFitArgs;
const BASE = { batchSize: 5, epochs: 6, verbose: 0, shuffle: false };

/** This rank's 20 samples of its own. */
function own(): Samples {
  return part(samples(20 * getGroupSize()), 20 * getRank(), 20);
}

/** Trains with `args`, and reports also where it fails. */
async function train(
  argsOf: (model: tf.LayersModel) => FitArgs,
  data: Samples = own(),
): Promise<FitOutcome> {
  const model = distribute(perceptron(syncBatchNormalization));
  const batches: number[] = [];
  let history: tf.History['history'] = {};
  let error: FitOutcome['error'] = null;
  try {
    const { callbacks = [], ...args } = argsOf(model);
    const counted = { onBatchEnd: (_: number, logs?: tf.Logs) => void batches.push(logs!.loss) };
    const all = [counted, ...[callbacks].flat()] as tf.CustomCallbackArgs[];
    ({ history } = await model.fit(data.x, data.y, { ...BASE, ...args, callbacks: all }));
  } catch (thrown) {
    const { name, message } = thrown as Error;
    error = { name, message };
  }
  const epochs = (history.loss ?? []).length;
  return { epochs, batches, history, weights: weightsOf(model), error };
}

/** Runs it on the rank that does it, and nothing on the others. */
const on = <T>(by: number, args: T): T | Record<string, never> => (getRank() === by ? args : {});

function throwing(by: number): Promise<FitOutcome> {
  return train(() => ({
    callbacks: on(by, {
      onBatchEnd: (batch: number) => {
        if (batch === 2) throw new Error('a mistake of my own');
      },
    }),
  }));
}

const SCENARIOS = {
  earlyStopping: () => {
    const { x, y } = own();
    return train(() => ({
      epochs: 30,
      validationData: [x, y],
      callbacks: tf.callbacks.earlyStopping({ monitor: 'val_loss', minDelta: 0.02, patience: 0 }),
    }));
  },
  'stops in a batch': (by) =>
    train((model) => ({
      callbacks: on(by, {
        onBatchBegin: (batch: number) => {
          if (batch === 1) model.stopTraining = true;
        },
      }),
    })),
  'stops in a batch, with fewer of them on the other': (by) => {
    const { x, y } = own();
    const validationData: [tf.Tensor, tf.Tensor] = [x, y];
    const data = getRank() === by ? { x, y } : part({ x, y }, 0, 5);
    return train(
      (model) => ({
        validationData,
        callbacks: on(by, {
          onBatchBegin: (batch: number) => {
            if (batch === 1) model.stopTraining = true;
          },
        }),
      }),
      data,
    );
  },
  'stops in an epoch': (by) =>
    train((model) => ({
      callbacks: on(by, {
        onEpochEnd: (epoch: number) => {
          if (epoch === 2) model.stopTraining = true;
        },
      }),
    })),
  'throws in a callback': throwing,
  'passes a wrong shape': (by) => {
    const { x, y } = own();
    return train(() => ({}), getRank() === by ? { x: tf.slice(x, [0, 0], [20, 5]), y } : { x, y });
  },
  'wants more epochs': (by) => train(() => on(by, { epochs: 7 })),
  'validates alone': (by) => train(() => on(by, { validationData: [own().x, own().y] })),
  'trains after a failure': async (by) => {
    const failed = await throwing(by);
    const again = await train(() => ({ epochs: 2 }));
    return { ...again, error: again.error ?? failed.error };
  },
  'sets the learning rate in every batch': async (by) => {
    const { x, y } = own();
    const data = getRank() === by ? { x, y } : part({ x, y }, 0, 5);
    return train((model) => {
      const optimizer = model.optimizer as unknown as { learningRate: number };
      return {
        epochs: 3,
        callbacks: {
          onEpochBegin: (epoch: number) => {
            optimizer.learningRate = 0.01 / (1 + epoch);
          },
          onBatchBegin: (batch: number) => {
            optimizer.learningRate = 0.01 / (1 + batch);
          },
        } as tf.CustomCallbackArgs,
      };
    }, data);
  },
  'sets another learning rate': (by) =>
    train((model) => {
      if (getRank() === by) (model.optimizer as unknown as Record<string, number>).learningRate = 1;
      return {};
    }),
  'compiles again': async () => {
    const model = distribute(perceptron(syncBatchNormalization));
    model.compile({ optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy' });
    const { x, y } = own();
    const { history } = await model.fit(x, y, BASE);
    return {
      epochs: history.loss.length,
      batches: [],
      history,
      weights: weightsOf(model),
      error: null,
    };
  },
  'averages metrics': async () => {
    const model = distribute(perceptron(syncBatchNormalization));
    const samplesHere = 10 * getRank();
    const { x, y } = part(own(), 0, samplesHere);
    const local = samplesHere === 0 ? [0, 0] : (model.evaluate(x, y) as tf.Scalar[]);
    const [loss, accuracy] = averageMetrics(local, { samples: samplesHere });
    const byName = averageMetrics({ rank: getRank() });
    const plain = averageMetrics(getRank() === 0 ? Number.NaN : 3, { samples: getRank() });
    return outcome([loss, accuracy, byName.rank, plain]);
  },
  'broadcasts weights': async (by) => {
    const model = perceptron(syncBatchNormalization, 10 * getRank());
    const counts = tf.variable(tf.tensor1d([2 ** 25 + 1 + getRank(), -3], 'int32'));
    broadcastWeights(model, { root: by });
    broadcastWeights([counts], { root: by });
    return outcome([...weightsOf(model), ...counts.dataSync()]);
  },
  'broadcasts other weights': async (by) => {
    const shape = getRank() === by ? [2, 3] : [3, 2];
    return caught(() => broadcastWeights([tf.variable(tf.zeros(shape))]));
  },
  'fails in a step of its own': async (by) =>
    caught(() =>
      trainingStep(3, () => {
        if (getRank() === by) throw new Error('no such luck');
        const optimizer = distribute(tf.train.sgd(0.1));
        const model = perceptron(syncBatchNormalization);
        optimizer.minimize(() => lossOf(model, part(own(), 0, 3)));
      }),
    ),
  'trains in groups of two': async () => {
    const name = getRank() < 2 ? 'front' : 'back';
    createGroup('front', [0, 1]);
    createGroup('back', [2, 3]);
    const norm = (args: object) => syncBatchNormalization({ ...args, processGroup: name });
    const model = distribute(perceptron(norm), { group: name, root: 1 });
    const { x, y } = part(samples(40), 10 * getRank(), 10);
    const { history } = await model.fit(x, y, BASE);
    return {
      epochs: history.loss.length,
      batches: [],
      history,
      weights: weightsOf(model),
      error: null,
    };
  },
  'has a missing gradient': async (by) => {
    const [used, unused, mine] = [1, 2, 3].map((value) => tf.variable(tf.scalar(value)));
    const optimizer = distribute(tf.train.sgd(1));
    const cost = () =>
      (getRank() === by ? tf.add(tf.mul(used, 2), tf.mul(mine, 4)) : tf.mul(used, 2)) as tf.Scalar;
    const { grads } = tf.variableGrads(cost);
    optimizer.applyGradients(
      [used, unused, mine].map((v) => ({ name: v.name, tensor: grads[v.name] })) as never,
    );
    return outcome([used, unused, mine].map((variable) => variable.dataSync()[0]));
  },
  'shards what it has': async () => {
    const whole = tf.tensor2d([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [5, 2]);
    const { a, b } = shard({ a: whole, b: [tf.range(0, 5)] });
    const dataset = shard(tf.data.array([0, 1, 2, 3, 4]));
    const elements = (await (dataset as tf.data.Dataset<number>).toArray()) as number[];
    return outcome([...a.dataSync(), ...b[0].dataSync(), dataset.size, ...elements]);
  },
} satisfies Record<string, (by: number) => Promise<FitOutcome>>;

function outcome(weights: number[]): FitOutcome {
  return { epochs: 0, batches: [], history: {}, weights, error: null };
}

async function caught(f: () => unknown): Promise<FitOutcome> {
  try {
    f();
    return outcome([]);
  } catch (thrown) {
    const { name, message } = thrown as Error;
    return { ...outcome([]), error: { name, message } };
  }
}

export async function runScenario({ name, by = 1 }: Scenario): Promise<FitOutcome> {
  await tf.setBackend('wasm');
  return (SCENARIOS[name] as (by: number) => Promise<FitOutcome>)(by);
}
