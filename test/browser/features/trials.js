// What a bundle for browsers has only where it is asked for, tried on each of two ranks.
import { averageGradients, getGroup, getRank, Parameter, SyncBatchNorm, Tensor } from 'syncbn';

const VALUES = [1, 2.5, -3, 4, 5, 0.25, 7, 8, 2, -1, 3, 6.5];

/** This rank's three of six samples of two channels. */
const batch = (dtype) => Tensor.from(VALUES.slice(6 * getRank()).slice(0, 6), [3, 2], dtype);

function normalized(options, dtype, forward) {
  const layer = new SyncBatchNorm(2, { name: 'norm', ...options });
  return [...layer.forward(batch(dtype), forward).toFloats()];
}

function statistics(options) {
  const layer = new SyncBatchNorm(2, { name: 'norm', ...options });
  layer.forward(batch('float32'));
  return [...layer.runningMean.data, ...layer.runningVar.data];
}

function average(options) {
  const weight = new Parameter('weight', Tensor.from([0, 0], [2]));
  weight.grad = Tensor.from([0.1, 0.2], [2]);
  averageGradients([weight], options);
  return [...weight.grad.data];
}

/** Memories that are made for arrays outside the kernels' memory, and the first outputs. */
function ofForeign() {
  const { Memory } = WebAssembly;
  let made = 0;
  WebAssembly.Memory = class extends Memory {
    constructor(options) {
      super(options);
      made += options.shared ? 0 : 1;
    }
  };
  try {
    const shape = [4, 8, 32, 32];
    const values = Float32Array.from({ length: 32768 }, (_, i) => ((i * 37) % 101) + getRank());
    const out = Tensor.zeros(shape);
    new SyncBatchNorm(8).forward(Tensor.from(values, shape), { out });
    return [made, ...out.data.subarray(0, 100)];
  } finally {
    WebAssembly.Memory = Memory;
  }
}

const MASK = Uint8Array.of(1, 0, 1);

export const TRIALS = {
  // The first, which makes the memory.
  foreign: ofForeign,
  float64: () => normalized({ dtype: 'float64' }, 'float64'),
  float16: () => normalized({}, 'float16'),
  bfloat16: () => normalized({}, 'bfloat16'),
  masks: () => normalized({}, 'float32', { mask: MASK }),
  tail: () => normalized({}, 'float32', { add: batch('float32'), activation: 'relu' }),
  reproducible: () => statistics({ reproducible: true }),
  averages: () => average({ reproducible: true }),
  'masks on rank 0 alone': () => normalized({}, 'float32', getRank() === 0 ? { mask: MASK } : {}),
};

/** What each trial gives, or its error's message. */
export function tryAll() {
  const outcome = Object.entries(TRIALS).map(([name, run]) => {
    try {
      return [name, run()];
    } catch (error) {
      return [name, error.message];
    }
  });
  // A rank that has told its error does not wait until the other has heard of it.
  getGroup().barrier().wait();
  return outcome;
}
