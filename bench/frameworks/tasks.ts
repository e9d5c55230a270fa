/** What TensorFlow.js and jax-js are measured on. */

/** A pass of a normalization layer over (..., channels). */
export interface LayerTask {
  readonly backend: 'wasm' | 'cpu';
  readonly shape: readonly number[];
}

/** TensorFlow.js' own layer takes half a second for the larger ones on cpu, a tenth for this one. */
export const LAYER_TASKS: readonly LayerTask[] = [
  { backend: 'wasm', shape: [8, 28, 28, 16] },
  { backend: 'wasm', shape: [8, 28, 28, 64] },
  { backend: 'wasm', shape: [32, 14, 14, 64] },
  { backend: 'wasm', shape: [256, 1024] },
  { backend: 'cpu', shape: [8, 28, 28, 16] },
];

/** Training steps of a convolutional network. */
export interface NetworkTask {
  /** Samples of all ranks together, evenly divided. */
  readonly batch: number;
}

/** Uniform numbers from -1 to 1, the same everywhere (Lehmer's generator). */
export function numbers(count: number, seed: number): Float32Array {
  let state = seed + 1;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  });
}
