/** Arrays that data parallelism reads and writes: gradients or values, and their descriptions. */

import { digestOfText } from '../core/digest.js';
import type { DType, FloatArray, TensorData } from '../core/dtype.js';
import { formatShape, sizeOf } from '../core/layout.js';
import { Parameter } from '../core/parameter.js';
import { show } from '../core/show.js';
import { Tensor } from '../core/tensor.js';
import { checkAttached } from '../core/typed-arrays.js';

/** Something with a gradient: a parameter, or an array of gradients, changed in place. */
export type GradientHolder = Parameter | Tensor | FloatArray;

/** One array that is read and written. */
export interface Target {
  /** Name of a parameter; otherwise ''. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly length: number;
  /** Null: a missing gradient, which counts as zeros. */
  data: TensorData | null;
}

export function targetOf(holder: Tensor | FloatArray, name: string, caller: string): Target {
  if (holder instanceof Tensor) {
    const { data, dtype, shape } = holder;
    checkAttached(data, caller);
    return { name, shape, dtype, length: data.length, data };
  }
  if (isFloats(holder)) {
    checkAttached(holder, caller);
    const dtype = holder instanceof Float32Array ? 'float32' : 'float64';
    return { name, shape: [holder.length], dtype, length: holder.length, data: holder };
  }
  throw new TypeError(
    `${caller}: expected Parameters, Tensors, Float32Arrays or Float64Arrays, got ${show(holder)}`,
  );
}

/** Not by its class alone, which any object can have. */
function isFloats(value: unknown): value is FloatArray {
  return (
    ArrayBuffer.isView(value) && (value instanceof Float32Array || value instanceof Float64Array)
  );
}

/** The gradient of a holder; a parameter's may be missing. */
export function gradientOf(holder: GradientHolder, caller: string): Target {
  if (!(holder instanceof Parameter)) return targetOf(holder, '', caller);
  const { name, data, grad } = holder;
  if (grad !== null) return targetOf(grad, name, caller);
  return { name, shape: data.shape, dtype: data.dtype, length: sizeOf(data.shape), data: null };
}

/** Most entries that a label names. */
const MOST = 3;

/**
 * `2 arrays: bn1.weight (64,) float32, bn1.bias (64,) float32` for labels, which ranks compare;
 * entries past the first few go into a digest.
 */
export function describeTargets(targets: readonly Target[]): string {
  const words = targets.map(({ name, shape, dtype }) =>
    `${name} ${formatShape(shape)} ${dtype}`.trimStart(),
  );
  const digest =
    words.length > MOST ? `, ... ${(digestOfText(words.join()) >>> 0).toString(16)}` : '';
  return `${targets.length} arrays: ${words.slice(0, MOST).join(', ')}${digest}`;
}
