/** Steps of jax-js networks on one rank of a test world. */

import { init, numpy as np, tree } from '@jax-js/jax';
import { GlobalBatchNorm, type SyncBatchNormOptions } from 'syncbn';
import { broadcastTree, network, stage } from 'syncbn/jax';
import { liveArrayCounter } from '../jax/live-arrays.js';
import { models } from '../jax/models.js';
import { randomArray, samples } from '../jax/parts.js';

/** Samples of the data set that this rank gets: from `from` up to `to`. */
export interface Share {
  from: number;
  to: number;
}

export interface StepScript extends Share {
  model: keyof typeof models;
  how: 'wait' | 'done';
  options?: SyncBatchNormOptions;
  /** Default 1. */
  steps?: number;
  average?: boolean;
  inputGradients?: boolean;
  /** What this rank does wrong. */
  fault?: 'rank-3 batch' | 'missing parameter' | 'no array';
}

export interface StepReport {
  loss: number;
  samples: number;
  /** Of the parameters' leaves. */
  gradients: Float32Array[];
  /** Of the batch, when asked for. */
  inputs: Float32Array | null;
  /** Of each layer: mean and variance, one behind the other. */
  running: Float64Array[];
  /** Arrays that the steps left behind, beside those above. */
  leaked: number;
}

/** Runs steps and reports the last one. */
export async function runSteps(script: StepScript): Promise<StepReport> {
  await init('wasm');
  const { model, how, options, steps = 1, from, to } = script;
  const { cut, shape } = models[model];
  const net = cut(options);
  const parameters = net.initialParameters();
  const count = liveArrayCounter();
  let before = 0;
  let report: StepReport | undefined;
  for (let i = 0; i < steps; i++) {
    // The first step compiles, and keeps constants.
    if (i <= 1) before = count();
    const [x, labels] = samples(script.fault === 'rank-3 batch' ? [6, 2] : shape, from, to);
    const given = tree.ref(parameters);
    if (script.fault === 'missing parameter') delete (given as Record<string, unknown>).bn1;
    const batch = script.fault === 'no array' ? ('x' as never) : x;
    const { average = true, inputGradients = false } = script;
    const work = net.lossAndGradients(given, batch, labels, { average, inputGradients });
    const result = how === 'wait' ? work.wait() : await work.done();
    const { loss, gradients, samples: total, inputs } = result;
    report = {
      loss,
      samples: total,
      gradients: tree
        .leaves<np.Array>(gradients)
        .map((gradient) => Float32Array.from(gradient.dataSync() as Float32Array)),
      inputs: inputs === undefined ? null : Float32Array.from(inputs.x.dataSync() as Float32Array),
      running: runningOf(net.layers),
      leaked: count() - before,
    };
  }
  tree.dispose(parameters);
  return report!;
}

function runningOf(layers: object): Float64Array[] {
  return Object.values(layers)
    .filter((layer) => layer.runningMean)
    .map((layer) =>
      Float64Array.of(...layer.runningMean.toFloats(), ...layer.runningVar.toFloats()),
    );
}

/** A GlobalBatchNorm over blocks of two ranks, in a network that all ranks train. */
export async function runBlocks({ from, to }: Share): Promise<StepReport> {
  await init('wasm');
  const norm = new GlobalBatchNorm(4, { deviceNumEachGroup: 2 }).setTrain();
  const net = network(
    {
      linear: stage(
        () => ({ w: randomArray([6, 4], 1) }),
        (x, { w }) => np.dot(x, w),
      ),
      norm,
      head: stage(
        () => ({ w: randomArray([4, 1], 2) }),
        (x, { w }) => np.dot(np.tanh(x), w),
      ),
    },
    { loss: (x, labels: np.Array) => np.mean(np.square(x.reshape([-1]).sub(labels))) },
  );
  const [x, labels] = samples([6], from, to);
  const work = net.lossAndGradients(net.initialParameters(), x, labels.astype(np.float32));
  const { loss, gradients, samples: total } = work.wait();
  return {
    loss,
    samples: total,
    gradients: tree.leaves<np.Array>(gradients).map((a) => a.dataSync() as Float32Array),
    inputs: null,
    running: [Float64Array.of(...norm.movingMean.toFloats(), ...norm.movingVariance.toFloats())],
    leaked: 0,
  };
}

/** The arrays that this rank has after a broadcast of trees that differ by their seeds. */
export async function runBroadcast(given: { seed: number; root: number }): Promise<Float32Array[]> {
  await init('wasm');
  const arrays = { a: randomArray([3, 2], given.seed), b: [randomArray([4], given.seed + 10)] };
  const { a, b } = await broadcastTree(arrays, { root: given.root }).done();
  return [a, ...b].map((array) => array.dataSync() as Float32Array);
}
