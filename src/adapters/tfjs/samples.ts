/** Tensors in lists and objects, as TensorFlow.js takes batches, and stand-ins for batches. */

import { type DataType, Tensor, zeros } from '@tensorflow/tfjs-core';
import { isPlain } from './plain.js';

/** A tensor, or tensors in lists and objects. */
export type Nested<T> = T | readonly Nested<T>[] | { readonly [name: string]: Nested<T> };

/** All tensors of `nested`, in order. */
export function leavesOf(nested: Nested<Tensor> | null | undefined): Tensor[] {
  if (nested == null) return [];
  return nested instanceof Tensor ? [nested] : Object.values(nested).flatMap(leavesOf);
}

/** Samples on the first axis of the first tensor; 0 without one. */
export function samplesOf(nested: Nested<Tensor> | null | undefined): number {
  return leavesOf(nested)[0]?.shape[0] ?? 0;
}

/** Maps by `f` each tensor of `nested`, and each value but lists and plain objects. */
export function mapLeaves<T>(nested: Nested<Tensor>, f: (leaf: Tensor) => T): Nested<T> {
  if (Array.isArray(nested)) return nested.map((part) => mapLeaves(part, f));
  if (!isPlain(nested)) return f(nested as Tensor);
  const parts = Object.entries(nested as Record<string, Nested<Tensor>>);
  return Object.fromEntries(parts.map(([name, part]) => [name, mapLeaves(part, f)]));
}

/** The shape and type that a stand-in copies from a tensor. */
export interface Form {
  readonly shape: readonly (number | null)[];
  readonly dtype: DataType;
}

/** Tensors that stand in for samples that a rank does not have. */
const standIns = new WeakSet<Tensor>();

/** One sample of zeros. */
export function standInFor({ shape, dtype }: Form): Tensor {
  const standIn = zeros([1, ...shape.slice(1).map((size) => size ?? 1)], dtype);
  standIns.add(standIn);
  return standIn;
}

export function isStandIn(x: Tensor): boolean {
  return standIns.has(x);
}
