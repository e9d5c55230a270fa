/**
 * jax-js as a contestant: batch normalization over the rank's own batch, under jit, on its
 * WebAssembly device. Nothing is synchronized but the start of the clock.
 */

import {
  blockUntilReady,
  defaultDevice,
  init as initJax,
  jit,
  numpy as np,
  tree,
  vjp,
} from '@jax-js/jax';
import { findGroup, init } from '../../src/group/world.js';
import { dataOf, EPS, errorsOf, type LayerResults, reference } from '../data.js';
import { shapeNamed, type Task } from '../shapes.js';
import { samplesOf, serveThread } from '../turns/serve.js';

type Step = (...inputs: np.Array[]) => np.Array[];

interface Prepared {
  /** x, weight, bias, dy. */
  readonly inputs: np.Array[];
  readonly forward: Step;
  readonly training: Step;
}

await init();
await initJax('wasm');
defaultDevice('wasm');
const group = findGroup(null, 'bench');
let prepared: Prepared | null = null;

serveThread<Task>({
  async prepare(task) {
    tree.dispose(prepared?.inputs ?? []);
    prepared = prepare(task);
    // Two calls, since the second takes what the first compiled.
    tree.dispose(await step('training'));
    const [y, dx, dweight, dbias] = (await step('training')).map((array) => array.dataSync());
    const [alone] = await step('forward');
    const got = { y, dx, dweight, dbias } as LayerResults;
    const want = reference(task, group.rank, [group.rank]);
    const { forward } = errorsOf({ y: alone.dataSync() as Float32Array }, want);
    return { ...errorsOf(got, want), ...(forward !== undefined && { forward }) };
  },
  turn(work, calls, samples) {
    const run = async () => tree.dispose(await step(work as 'forward' | 'training'));
    return samplesOf(run, calls, samples, () => group.barrier().wait());
  },
});

/** Results of one call, computed. */
async function step(work: 'forward' | 'training'): Promise<np.Array[]> {
  const { inputs, [work]: run } = prepared!;
  return blockUntilReady(run(...inputs.map((input) => input.ref)));
}

function prepare(task: Task): Prepared {
  const shape = shapeNamed(task.shape, task.channelsLast);
  const channelAxis = task.channelsLast ? shape.length - 1 : 1;
  const axes = shape.map((_, axis) => axis).filter((axis) => axis !== channelAxis);
  const perChannel = shape.map((size, axis) => (axis === channelAxis ? size : 1));

  const normalize = jit((x: np.Array, weight: np.Array, bias: np.Array): np.Array => {
    const centered = x.ref.sub(np.mean(x, axes, { keepdims: true }));
    const variance = np.mean(np.square(centered.ref), axes, { keepdims: true });
    const invstd = np.reciprocal(np.sqrt(variance.add(EPS)));
    return centered.mul(invstd.mul(weight.reshape(perChannel))).add(bias.reshape(perChannel));
  });
  // vjp within jit: outside it would trace anew at each call, and leak.
  const training = jit((x: np.Array, weight: np.Array, bias: np.Array, dy: np.Array) => {
    const [y, pull] = vjp(normalize, [x, weight, bias]);
    return [y, ...pull(dy)];
  });
  const { x, dy, weight, bias } = dataOf(task, group.rank);
  const array = (values: ArrayLike<number>) => np.array(values as Float32Array);
  return {
    inputs: [array(x).reshape(shape), array(weight), array(bias), array(dy).reshape(shape)],
    forward: (x, weight, bias, dy) => {
      dy.dispose();
      return [normalize(x, weight, bias)];
    },
    training: training as unknown as Step,
  };
}
