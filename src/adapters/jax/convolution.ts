/**
 * Convolution and pooling of channels-last images, (N, H, W, C), in the forms that jax-js runs
 * fast on its wasm device, differentiable by its own rules. Use them inside `jit`.
 */

import { defaultDevice, numpy as np } from '@jax-js/jax';
import { formatShape } from '../../core/layout.js';
import { show } from '../../core/show.js';
import { isArray } from './stage.js';

/** Handling of the border by a convolution; see {@link convolve}. */
export type Padding = 'same' | 'valid';

/**
 * Convolution with stride 1, in the deep learning sense (the kernel is not flipped).
 *
 * `lax.convGeneralDilated` runs a 3 x 3 convolution at some 0.2 GFLOP/s on wasm. Here it is k
 * dense matrix products, at some 5: over the rows of the padded image, laid out as one matrix
 * [N Hp Wp, C], a shift of the image is an offset of rows. Rows that wrap around a border come out
 * too, and are cut off at the end.
 * @param x shape (N, H, W, C); consumed, as is `kernel`
 * @param kernel shape (k, k, C, O), k odd
 * @param padding 'same' (default) keeps H and W with zeros around; 'valid' gives H - k + 1
 * @returns shape (N, H, W, O) or (N, H - k + 1, W - k + 1, O)
 * @throws TypeError for what is no array; RangeError for shapes that do not fit
 */
export function convolve(x: np.Array, kernel: np.Array, padding: Padding = 'same'): np.Array {
  const size = checkShapes(x, kernel, padding);
  const [samples, height, width, channels] = x.shape;
  const border = padding === 'same' ? (size - 1) / 2 : 0;
  const [rows, columns] = [height + 2 * border, width + 2 * border];
  const around = [border, border] as [number, number];
  const matrix = np
    .pad(x, [[0, 0], around, around, [0, 0]])
    .reshape([samples * rows * columns, channels]);
  return shiftedProducts(matrix, kernel, columns, samples)
    .reshape([samples, rows, columns, kernel.shape[3]])
    .slice([], [0, rows - size + 1], [0, columns - size + 1], []);
}

/** For each row r, sums matrix[r + i columns + j] times kernel[i, j] over i and j. */
function shiftedProducts(
  matrix: np.Array,
  kernel: np.Array,
  columns: number,
  samples: number,
): np.Array {
  const [size, , channels, filters] = kernel.shape;
  const [count] = matrix.shape;
  // Rows of zeros, so that the last shift has as many rows as the first.
  const reach = (size - 1) * (columns + 1);
  const padded = np.pad(matrix, [
    [0, reach],
    [0, 0],
  ]);
  const sideways = count + (size - 1) * columns;
  const wide = np.concatenate(
    range(size).map((j) => padded.ref.slice([j, j + sideways], [])),
    1,
  );
  const weights = kernel.reshape([size, size * channels, filters]);
  const products = range(size).map((i) =>
    product(wide.ref.slice([i * columns, i * columns + count], []), weights.ref.slice(i), samples),
  );
  for (const used of [padded, wide, weights]) used.dispose();
  return products.reduce((sum, term) => sum.add(term));
}

/**
 * Matrix product of rows that belong to `samples`, and weights. On webgpu each part of the samples
 * gets weights of its own, so that their gradient is a sum over parts of sums over rows: jax-js adds
 * up each sum in one thread, and the weights of a small kernel are too few to keep a GPU busy.
 */
function product(rows: np.Array, weights: np.Array, samples: number): np.Array {
  const parts = defaultDevice() === 'webgpu' ? partsOf(samples, weights.size) : 1;
  if (parts === 1) return np.dot(rows, weights);
  const [count, width] = rows.shape;
  const [, filters] = weights.shape;
  const own = np.broadcastTo(weights, [parts, width, filters]);
  return np.matmul(rows.reshape([parts, count / parts, width]), own).reshape([count, filters]);
}

/** Most values of all parts' gradients. */
const MOST_PARTIAL = 2 ** 20;

/** The most equal parts of the samples, with a gradient of `size` values each, that fit. */
function partsOf(samples: number, size: number): number {
  let parts = Math.max(1, Math.min(samples, Math.floor(MOST_PARTIAL / size)));
  while (samples % parts !== 0) parts--;
  return parts;
}

/**
 * Largest values of adjacent windows of `size` x `size`. A reshape and a maximum, which jax-js
 * fuses with the operations before it.
 * @param x shape (N, H, W, C), H and W multiples of `size`; consumed
 * @param size of a window. Default 2
 * @returns shape (N, H / size, W / size, C)
 * @throws TypeError for what is no array; RangeError for other shapes
 */
export function maxPool(x: np.Array, size = 2): np.Array {
  checkArray(x, 'maxPool');
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`maxPool: size must be an integer of 1 or more, got ${show(size)}`);
  }
  const [samples, height, width, channels] = x.shape;
  if (x.ndim !== 4 || height % size !== 0 || width % size !== 0) {
    throw new RangeError(
      `maxPool: expected (N, H, W, C) with H and W multiples of ${size}, got ${formatShape(x.shape)}`,
    );
  }
  return np.max(x.reshape([samples, height / size, size, width / size, size, channels]), [2, 4]);
}

/** The kernel's height and width. */
function checkShapes(x: np.Array, kernel: np.Array, padding: Padding): number {
  if (padding !== 'same' && padding !== 'valid') {
    throw new RangeError(`convolve: padding must be same or valid, got ${show(padding)}`);
  }
  for (const array of [x, kernel]) checkArray(array, 'convolve');
  const [size, across, channels] = kernel.shape;
  if (kernel.ndim !== 4 || size !== across || size % 2 !== 1) {
    throw new RangeError(
      `convolve: expected a kernel (k, k, C, O) with k odd, got ${formatShape(kernel.shape)}`,
    );
  }
  if (x.ndim !== 4 || x.shape[3] !== channels) {
    throw new RangeError(
      `convolve: expected (N, H, W, ${channels}) for this kernel, got ${formatShape(x.shape)}`,
    );
  }
  if (padding === 'valid' && Math.min(x.shape[1], x.shape[2]) < size) {
    throw new RangeError(
      `convolve: the kernel ${formatShape(kernel.shape)} is larger than ${formatShape(x.shape)}`,
    );
  }
  return size;
}

function checkArray(array: unknown, caller: string): void {
  if (isArray(array)) return;
  throw new TypeError(`${caller}: expected an array of jax-js, got ${show(array)}`);
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
