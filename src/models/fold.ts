/** Layers folded into the weights before them, for inference without batch normalization. */

import { checkInteger } from '../core/checks.js';
import { type FloatArray, narrow } from '../core/dtype.js';
import { formatShape } from '../core/layout.js';
import { checkOptionNames } from '../core/options.js';
import { show } from '../core/show.js';
import { Tensor } from '../core/tensor.js';
import { partsOf } from '../layers/parts.js';
import type { Layer } from './recompute.js';

export interface FoldOptions {
  /**
   * Axis of the output channels in the kernel; negative ones count from the end. Default
   * -1: TensorFlow's and jax-js' (height, width, in, out), and dense weights (in, out). PyTorch's
   * (out, in, height, width) have 0.
   */
  outputAxis?: number;
}

/** Weights of a convolution or a dense layer that does the work of it and the layer after it. */
export interface Folded {
  readonly kernel: Tensor;
  /** Shape (C). */
  readonly bias: Tensor;
}

const CALLER = 'foldIntoConvolution';

/**
 * Makes the weights of a convolution with the results of the old one and `layer` after it in
 * inference, with s = weight / sqrt(running variance + eps):
 *
 *     kernel' = kernel * s,    bias' = (bias - running mean) * s + the layer's bias
 *
 * Nothing may stand between the two. Works for dense layers as well, whose kernel is a matrix.
 * @param bias shape (C); null: none
 * @returns new tensors of the kernel's type, computed in float64 and rounded once
 * @throws TypeError for anything but tensors or a layer; RangeError for other sizes than the
 *   layer's, for an axis that the kernel does not have, and for a layer without running statistics
 */
export function foldIntoConvolution(
  layer: Layer,
  kernel: Tensor,
  bias: Tensor | null = null,
  options: FoldOptions = {},
): Folded {
  const { running, weight, bias: shift } = partsOf(layer);
  checkOptionNames(options, ['outputAxis'], CALLER);
  const { label, numFeatures: channels, eps } = layer;
  if (running === null) throw new RangeError(`${CALLER}: ${label} has no running statistics`);
  const inner = innerSize(kernel, options.outputAxis ?? -1, channels, label);
  checkBias(bias, channels, label);
  const [mean, variance] = [running.mean.toFloats(), running.variance.toFloats()];
  const [scales, shifts] = [weight?.data.toFloats(), shift?.data.toFloats()];
  const old = bias?.toFloats();
  const factors = Float64Array.from<number>(
    variance,
    (v, c) => (scales?.[c] ?? 1) / Math.sqrt(v + eps),
  );
  const newBias = Float64Array.from<number>(
    mean,
    (m, c) => ((old?.[c] ?? 0) - m) * factors[c] + (shifts?.[c] ?? 0),
  );
  const values: FloatArray = kernel.toFloats();
  const newKernel = Float64Array.from<number>(
    values,
    (value, i) => value * factors[Math.floor(i / inner) % channels],
  );
  return { kernel: rounded(newKernel, kernel), bias: rounded(newBias, kernel, [channels]) };
}

function rounded(
  values: Float64Array,
  { dtype, shape }: Tensor,
  sizes: readonly number[] = shape,
): Tensor {
  const tensor = Tensor.zeros(sizes, dtype);
  narrow(values, tensor.data, dtype);
  return tensor;
}

/** Elements of the axes after the output axis, once the kernel is checked. */
function innerSize(kernel: unknown, axis: number, channels: number, label: string): number {
  if (!(kernel instanceof Tensor)) {
    throw new TypeError(`${CALLER}: the kernel must be a Tensor, got ${show(kernel)}`);
  }
  const { shape } = kernel;
  checkInteger(axis, Number.NEGATIVE_INFINITY, `${CALLER}: outputAxis`);
  const at = axis < 0 ? axis + shape.length : axis;
  if (at < 0 || at >= shape.length) {
    throw new RangeError(`${CALLER}: a kernel of shape ${formatShape(shape)} has no axis ${axis}`);
  }
  if (shape[at] !== channels) {
    throw new RangeError(
      `${CALLER}: ${label} has ${channels} channels, a kernel of shape ${formatShape(shape)} has ` +
        `${shape[at]} outputs on axis ${axis}`,
    );
  }
  return shape.slice(at + 1).reduce((product, size) => product * size, 1);
}

function checkBias(bias: unknown, channels: number, label: string): void {
  if (bias === null) return;
  if (!(bias instanceof Tensor)) {
    throw new TypeError(`${CALLER}: the bias must be a Tensor or null, got ${show(bias)}`);
  }
  if (bias.shape.length !== 1 || bias.shape[0] !== channels) {
    throw new RangeError(
      `${CALLER}: ${label} has ${channels} channels, the bias has shape ${formatShape(bias.shape)}`,
    );
  }
}
