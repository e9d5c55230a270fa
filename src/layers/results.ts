/** Results of a layer's passes: new tensors or given ones, and parameters' gradients. */

import { formatShape, sameShape } from '../core/layout.js';
import type { Parameter } from '../core/parameter.js';
import { show } from '../core/show.js';
import { Tensor } from '../core/tensor.js';
import { bufferOf, checkAttached } from '../core/typed-arrays.js';

/**
 * Returns the tensor for a result: `out` if it fits `like`, or a new one. It may lie over one of
 * the `inputs`, but not over a part of it: elements would be overwritten before they are read.
 */
export function checkOut(
  out: Tensor | undefined,
  like: Tensor,
  inputs: readonly Tensor[],
  label: string,
  name = 'out',
): Tensor {
  if (out === undefined) return Tensor.zeros(like.shape, like.dtype);
  if (!(out instanceof Tensor)) {
    throw new TypeError(`${label}: ${name} must be a Tensor, got ${show(out)}`);
  }
  checkAttached(out.data, label);
  if (!sameShape(out.shape, like.shape) || out.dtype !== like.dtype) {
    throw new RangeError(
      `${label}: ${name} must have shape ${formatShape(like.shape)} and dtype ${like.dtype}, ` +
        `got shape ${formatShape(out.shape)} and dtype ${out.dtype}`,
    );
  }
  for (const input of inputs) {
    if (overlaps(out, input) && out.data.byteOffset !== input.data.byteOffset) {
      throw new RangeError(`${label}: ${name} lies over a part of its input`);
    }
  }
  return out;
}

/** True if two tensors share memory. */
export function overlaps({ data: a }: Tensor, { data: b }: Tensor): boolean {
  return (
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength &&
    // Last, since reading the buffer takes longest.
    bufferOf(a) === bufferOf(b)
  );
}

export function fillGradient(
  parameter: Parameter | null,
  sums: Float64Array,
  accumulate: boolean,
): void {
  if (parameter?.trainable !== true) return;
  const { data } = parameter;
  const added = accumulate && parameter.grad !== null;
  parameter.grad ??= Tensor.zeros(data.shape, data.dtype);
  // float32 or float64, so that storing rounds; `set` between two types takes three times as long.
  const grad = parameter.grad.data;
  if (added) for (let c = 0; c < sums.length; c++) grad[c] += sums[c];
  else for (let c = 0; c < sums.length; c++) grad[c] = sums[c];
}
