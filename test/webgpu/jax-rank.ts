/** Does on one rank of any number all that is checked of jax-js' webgpu device; see jax-checks.ts. */

import {
  blockUntilReady,
  type Device,
  defaultDevice,
  getWebGPUDevice,
  init as initJax,
  type numpy as np,
  tree,
} from '@jax-js/jax';
import { getGroupSize, getRank, init, type SyncBatchNorm } from 'syncbn';
import { broadcastTree, type Tree } from 'syncbn/jax';
import { liveArrayCounter } from '../jax/live-arrays.js';
import { models } from '../jax/models.js';
import { samples } from '../jax/parts.js';
import { type Failure, failureOf } from './checks.js';
import { openWebgpu } from './open.js';

export type ModelName = 'mlp' | 'cnn' | 'sequence' | 'siamese';
export const STEPS = 3;
/** Samples of all ranks in a step. */
const BATCH = 8;
const RATE = 0.05;

/** The results of some training steps. */
export interface Trained {
  losses: number[];
  /** Of each step: all gradients, concatenated. */
  gradients: Float32Array[];
  /** Of each layer: mean and variance, concatenated. */
  running: Float64Array[];
  /** Of the same samples on all ranks, by the trained parameters. */
  predicted: Float32Array;
  /** Each layer's weight and bias after `store`, and as they were trained. */
  stored: Float32Array;
  trained: Float32Array;
  /** Arrays that the steps left behind. */
  leaked: number;
}

export interface JaxReport {
  webgpu: Record<string, Trained>;
  wasm: Record<string, Trained>;
  /** Rank 0 on webgpu, the others on wasm. */
  mixed: Trained;
  /** All ranks call `wait()`. */
  waiting: Failure;
  /** The last rank alone calls `wait()`. */
  waitingAlone: Failure;
  /** The last rank has a batch of another shape. */
  failing: Failure;
  /** Losses of a step after each of these failures. */
  losses: number[];
  /** The last rank's device is lost. */
  losing: Failure;
}

/** @param names networks to train */
export async function main(names: readonly ModelName[]): Promise<JaxReport> {
  await init();
  await openWebgpu();
  await initJax('wasm', 'webgpu');
  const [webgpu, wasm] = [await trainAll('webgpu', names), await trainAll('wasm', names)];
  const mixed = await train(getRank() === 0 ? 'webgpu' : 'wasm', 'mlp', share('mlp'));
  defaultDevice('webgpu');
  const losses: number[] = [];
  const failures: Failure[] = [];
  for (const fault of [allWait, lastWaits, lastFails]) {
    failures.push(await failureOf(fault));
    losses.push(await loss());
  }
  const [waiting, waitingAlone, failing] = failures;
  const losing = await failureOf(lastLosesItsDevice);
  endThread();
  return { webgpu, wasm, mixed, waiting, waitingAlone, failing, losses, losing };
}

/** Dawn keeps a thread alive for as long as it has a device. */
function endThread(): void {
  setImmediate(() => process.exit(0));
}

const isLast = () => getRank() === getGroupSize() - 1;

/**
 * Share of a step's samples that rank 0 of two has: uneven, even, none. SwiftShader compiles some of
 * the kernels for sizes that are not powers of 2 for half a minute, and those of 'mlp' at once.
 */
const FIRST_HAS: Record<ModelName, number> = {
  mlp: 5 / 8,
  cnn: 1 / 2,
  siamese: 1 / 2,
  sequence: 0,
};

/** The samples of this rank in a step, from the first up to the last. */
function share(name: ModelName): [number, number] {
  if (getGroupSize() === 1) return [0, BATCH];
  const border = BATCH * FIRST_HAS[name];
  return getRank() === 0 ? [0, border] : [border, BATCH];
}

async function trainAll(
  device: Device,
  names: readonly ModelName[],
): Promise<Record<string, Trained>> {
  const all: Record<string, Trained> = {};
  for (const name of names) all[name] = await train(device, name, share(name));
  return all;
}

async function valuesOf(arrays: Tree): Promise<Float32Array> {
  const values: number[] = [];
  for (const leaf of tree.leaves<np.Array>(arrays)) values.push(...(await leaf.data()));
  return Float32Array.from(values);
}

async function train(
  device: Device,
  name: ModelName,
  [from, to]: [number, number],
): Promise<Trained> {
  defaultDevice(device);
  const { cut, shape } = models[name];
  const net = cut();
  const losses: number[] = [];
  const gradients: Float32Array[] = [];
  let parameters = await broadcastTree(net.initialParameters()).done();
  const count = liveArrayCounter(device);
  let before = 0;
  for (let step = 0; step < STEPS; step++) {
    // The first step compiles, and keeps constants.
    if (step <= 1) before = count();
    const [x, labels] = samples(shape, from + BATCH * step, to + BATCH * step);
    const got = await net.lossAndGradients(tree.ref(parameters), x, labels).done();
    losses.push(got.loss);
    gradients.push(await valuesOf(tree.ref(got.gradients)));
    const moved = (p: np.Array, g: np.Array) => p.sub(g.mul(RATE));
    parameters = tree.map(moved, parameters, got.gradients) as typeof parameters;
    // On a rank without samples nothing else makes jax-js compute them.
    await blockUntilReady(parameters);
  }
  const leaked = count() - before;
  const layers = Object.entries(net.layers).filter(([, layer]) => 'runningMean' in layer) as [
    string,
    SyncBatchNorm,
  ][];
  const [x, labels] = samples(shape, 0, BATCH);
  labels.dispose();
  const predicted = await valuesOf(net.predict(tree.ref(parameters), x));
  const affine = layers.map(([place]) => [parameters[place].weight, parameters[place].bias]);
  const trained = await valuesOf(tree.ref(affine as np.Array[][]));
  await net.store(parameters).done();
  const stored = layers.flatMap(([, { weight, bias }]) =>
    [weight, bias].flatMap((parameter) => [...parameter!.data.toFloats()]),
  );
  const running = layers.map(([, { runningMean, runningVar }]) =>
    Float64Array.of(...runningMean!.toFloats(), ...runningVar!.toFloats()),
  );
  const stores = { stored: Float32Array.from(stored), trained };
  return { losses, gradients, running, predicted, ...stores, leaked };
}

/** Starts a step of a new network, which all ranks must take. */
function start(shape = models.mlp.shape) {
  const net = models.mlp.cut();
  const [x, labels] = samples(shape, 4 * getRank(), 4 * getRank() + 4);
  return net.lossAndGradients(net.initialParameters(), x, labels);
}

async function loss(): Promise<number> {
  return (await start().done()).loss;
}

const allWait = () => start().wait();

const lastWaits = () => (isLast() ? start().wait() : start().done());

const lastFails = () => start(isLast() ? [6, 2] : undefined).done();

function lastLosesItsDevice(): Promise<unknown> {
  const work = start().done();
  if (isLast()) getWebGPUDevice().destroy();
  return work;
}
