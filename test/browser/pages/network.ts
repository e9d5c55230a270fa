/** A network of two dense layers around a synchronized one, trained by hand on made-up data. */

import {
  averageGradients,
  getGroupSize,
  getRank,
  type Parameter,
  SyncBatchNorm,
  startAverageGradients,
  Tensor,
} from 'syncbn';

const [SAMPLES, INPUTS, HIDDEN] = [8, 6, 5];
const RATE = 0.1;

/** What a rank holds after training. */
export interface Trained {
  readonly rank: number;
  readonly size: number;
  /** Loss over all ranks after the first and the last step. */
  readonly losses: readonly [number, number];
  /** Of all weights and running statistics. */
  readonly hash: string;
}

/** xorshift32; numbers in [-0.5, 0.5). */
export function numbersOf(seed: number): () => number {
  let state = seed * 2654435761 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32 - 0.5;
  };
}

/** a (rows x inner) times b (inner x columns), or times b transposed. */
function multiply(a: Float32Array, b: Float32Array, inner: number, transposed = false) {
  const [rows, columns] = [a.length / inner, b.length / inner];
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += a[row * inner + k] * b[transposed ? column * inner + k : k * columns + column];
    }
    return sum;
  });
}

/** a transposed (rows of a become columns). */
function transpose(a: Float32Array, columns: number): Float32Array {
  const rows = a.length / columns;
  return a.map((_, at) => a[(at % rows) * columns + Math.floor(at / rows)]);
}

/** How a rank takes part in collectives: it blocks, or it awaits. */
export type Manner = 'wait' | 'done';

/** Trains on this rank's samples, which differ from rank to rank and step to step. */
export async function train(steps: number, manner: Manner): Promise<Trained> {
  const blocks = manner === 'wait';
  const start = numbersOf(7);
  const first = Float32Array.from({ length: INPUTS * HIDDEN }, start);
  const second = Float32Array.from({ length: HIDDEN }, start);
  const norm = new SyncBatchNorm(HIDDEN, { name: 'norm' });
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const next = numbersOf(1 + step * 64 + getRank());
    const x = Float32Array.from({ length: SAMPLES * INPUTS }, next);
    const input = Tensor.from(multiply(x, first, INPUTS), [SAMPLES, HIDDEN]);
    const hidden = blocks ? norm.forward(input) : await norm.startForward(input).done();
    const { loss, dSecond, dHidden } = headOf(x, hidden.toFloats() as Float32Array, second);
    const dy = Tensor.from(dHidden, [SAMPLES, HIDDEN]);
    const dx = blocks ? norm.backward(dy) : await norm.startBackward(dy).done();
    const dFirst = multiply(transpose(x, INPUTS), dx.toFloats() as Float32Array, SAMPLES);
    const shared = Float64Array.of(loss);
    const gradients = [...norm.parameters(), dFirst, dSecond, shared];
    if (blocks) averageGradients(gradients);
    else await startAverageGradients(gradients).done();
    losses.push(shared[0]);
    for (const parameter of norm.parameters()) descend(...floatsOf(parameter));
    descend(first, dFirst);
    descend(second, dSecond);
  }
  return {
    rank: getRank(),
    size: getGroupSize(),
    losses: [losses[0], losses[losses.length - 1]],
    hash: hashOf([first, second, ...statesOf(norm)]),
  };
}

/** One pass that blocks: what it throws, and the first channel's running mean after it. */
export function forward(): { error: string; mean: number; tracked: number } {
  const norm = new SyncBatchNorm(1, { name: 'norm' });
  let error = 'none';
  try {
    norm.forward(Tensor.from([1, 2], [2, 1]));
  } catch (thrown) {
    error = `${(thrown as Error).name}: ${(thrown as Error).message}`;
  }
  const [mean] = norm.runningMean!.data;
  return { error, mean: Number(mean), tracked: Number(norm.numBatchesTracked?.data[0] ?? 0) };
}

/** Squared error of relu(hidden) times the weights, against a bent line, and its gradients. */
function headOf(x: Float32Array, hidden: Float32Array, weights: Float32Array) {
  const output = multiply(
    hidden.map((value) => Math.max(0, value)),
    weights,
    HIDDEN,
  );
  const error = output.map((value, n) => value - Math.abs(x[n * INPUTS]));
  const dHidden = hidden.map((value, at) =>
    value > 0 ? (2 / SAMPLES) * error[Math.floor(at / HIDDEN)] * weights[at % HIDDEN] : 0,
  );
  const dSecond = weights.map((_, h) =>
    error.reduce((sum, e, n) => sum + (2 / SAMPLES) * e * Math.max(0, hidden[n * HIDDEN + h]), 0),
  );
  return { loss: error.reduce((sum, e) => sum + e * e, 0) / SAMPLES, dSecond, dHidden };
}

function floatsOf({ data, grad }: Parameter): [Float32Array, Float32Array] {
  return [data.toFloats() as Float32Array, grad!.toFloats() as Float32Array];
}

function descend(values: Float32Array, gradients: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i] -= RATE * gradients[i];
}

function statesOf(norm: SyncBatchNorm): Float32Array[] {
  const tensors = [...norm.parameters().map(({ data }) => data), norm.runningMean, norm.runningVar];
  return tensors.map((tensor) => tensor!.toFloats() as Float32Array);
}

/** FNV-1a of the bytes. */
export function hashOf(arrays: readonly Float32Array[]): string {
  let hash = 0x811c9dc5;
  for (const array of arrays) {
    for (const byte of new Uint8Array(array.slice().buffer)) {
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
  }
  return (hash >>> 0).toString(16);
}
