/** Times training steps of the demo's network on one rank; see digits.ts. */

import { parentPort } from 'node:worker_threads';
import { type Device, defaultDevice, init as initJax, numpy as np, tree } from '@jax-js/jax';
import { getGroup, getGroupSize, getRank, init } from 'syncbn';
import { PIXELS, SIDE } from '../../examples/digits/dataset.js';
import { type DigitsParameters, descend, digitsNetwork } from '../../examples/digits/model.js';
import { seededRandom } from '../../examples/digits/random.js';
import { openWebgpu } from '../../test/webgpu/open.js';

interface Task {
  device: Device;
  steps: number;
  /** Samples of a step, over all ranks. */
  batches: readonly number[];
}

/** Times in milliseconds. */
export type DigitsReport = { what: string; batch: number; times: number[] }[];

const WARM_UP = 4;
const RATE = 0.02;

export async function main({ device, steps, batches }: Task): Promise<void> {
  await init();
  if (device === 'webgpu') await openWebgpu();
  await initJax(device);
  defaultDevice(device);
  for (const batch of batches) {
    parentPort?.postMessage({ what: 'training step', batch, times: await train(batch, steps) });
  }
  const times = await readTimes(steps);
  parentPort?.postMessage({ what: 'write and read 128 numbers', batch: 0, times });
  setImmediate(() => process.exit(0));
}

async function train(batch: number, steps: number): Promise<number[]> {
  const group = getGroup();
  const model = digitsNetwork(group, group, 1);
  let parameters = model.initialParameters();
  let velocity = tree.map(
    (p: np.Array) => np.zerosLike(p),
    tree.ref(parameters),
  ) as DigitsParameters;
  const count = batch / getGroupSize();
  const random = seededRandom(getRank());
  const pixels = Float32Array.from({ length: count * PIXELS }, random);
  const images = np.array(pixels, { shape: [count, SIDE, SIDE, 1] });
  const labels = np.array(Int32Array.from({ length: count }, (_, i) => i % 10));
  const losses: number[] = [];
  const times: number[] = [];
  for (let step = 0; step < WARM_UP + steps; step++) {
    const start = performance.now();
    const work = model.lossAndGradients(tree.ref(parameters), images.ref, labels.ref);
    const { loss, gradients } = await work.done();
    ({ parameters, velocity } = descend(parameters, velocity, gradients, np.array(RATE)));
    losses.push(loss);
    if (step >= WARM_UP) times.push(performance.now() - start);
  }
  tree.dispose([parameters, velocity, images, labels]);
  // Few steps learn noise by heart, if they are right.
  if (!(losses.at(-1)! < losses[0])) throw new Error(`the loss does not fall: ${losses}`);
  return times;
}

/** Seven of these are in a step on several ranks. */
async function readTimes(steps: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < WARM_UP + steps; i++) {
    const x = np.array(new Float32Array(128).fill(i));
    const start = performance.now();
    await x.data();
    if (i >= WARM_UP) times.push(performance.now() - start);
  }
  return times;
}
