/**
 * Optimizers whose gradients are means over a group. All ways of training meet in `applyGradients`:
 * `fit`, `minimize` and the user's own loops.
 */

import {
  dispose,
  engine,
  mul,
  type NamedTensorMap,
  type Optimizer,
  type Scalar,
  scalar,
  type Tensor,
  type Variable,
} from '@tensorflow/tfjs-core';
import { sizeOf } from '../../../core/layout.js';
import type { ProcessGroup } from '../../../group/process-group.js';
import { findGroup, type GroupLike } from '../../../group/world.js';
import { averagePass } from '../../../parallel/average-pass.js';
import { targetOf } from '../../../parallel/targets.js';
import { tellingErrors, waitFor } from '../peers.js';
import { checkReadable } from '../readable.js';
import { floatsOf, tensorFrom } from '../views.js';
import { currentStep } from './current-step.js';

const distributed = new WeakSet<Optimizer>();

/** Replaces two methods of `optimizer`; see `distribute`. */
export function distributeOptimizer(optimizer: Optimizer, groupLike: GroupLike): void {
  if (distributed.has(optimizer)) return;
  distributed.add(optimizer);
  const { applyGradients, computeGradients } = optimizer;
  let flat = new Float32Array(0);
  optimizer.applyGradients = (gradients) => {
    const group = findGroup(groupLike, 'distribute');
    if (group.size === 1) return applyGradients.call(optimizer, gradients);
    const label = `gradients for ${optimizer.getClassName()}`;
    const own = tellingErrors(group, label, () => {
      checkReadable(group, label);
      return listed(gradients);
    });
    const length = own.reduce((sum, { size }) => sum + size, own.length);
    if (flat.length !== length) flat = new Float32Array(length);
    const averaged = averageOverGroup(own, flat, group, label);
    try {
      applyGradients.call(optimizer, Array.isArray(gradients) ? averaged : mapped(averaged));
    } finally {
      dispose(averaged.map(({ tensor }) => tensor));
    }
  };
  // minimize() comes through here, too.
  optimizer.computeGradients = (cost, variables) => {
    const weight = currentStep()?.weight ?? 1;
    if (weight === 1) return computeGradients.call(optimizer, cost, variables);
    checkReadable(findGroup(groupLike, 'distribute'), 'distribute');
    return weighted(weight, cost, (by) => computeGradients.call(optimizer, by, variables));
  };
}

/** A gradient, as `fit` gives it to an optimizer. */
type NamedTensor = { name: string; tensor: Tensor };

type Computed = { value: Scalar; grads: NamedTensorMap };

/** Computes the gradients of `weight` times the cost, and the cost itself. */
function weighted(
  weight: number,
  cost: () => Scalar,
  compute: (cost: () => Scalar) => Computed,
): Computed {
  let plain = 0;
  const { value, grads } = compute(() => {
    const own = cost();
    plain = own.dataSync()[0];
    return mul(own, weight);
  });
  value.dispose();
  return { value: scalar(plain), grads };
}

/** A variable's gradient on this rank, or null if it has none. */
interface Gradient {
  readonly name: string;
  readonly tensor: Tensor | null;
  readonly shape: number[];
  readonly size: number;
}

/** By place, not by name: automatic names differ between ranks. */
function listed(gradients: NamedTensor[] | NamedTensorMap): Gradient[] {
  const variables = engine().registeredVariables as Record<string, Variable | undefined>;
  const pairs: [string, Tensor | null | undefined][] = Array.isArray(gradients)
    ? gradients.map(({ name, tensor }) => [name, tensor])
    : Object.entries(gradients);
  return pairs.map(([name, tensor]) => {
    const shape = (tensor ?? variables[name])?.shape;
    if (shape === undefined) throw new RangeError(`distribute: no variable is called '${name}'`);
    return { name, tensor: tensor ?? null, shape, size: sizeOf(shape) };
  });
}

function mapped(gradients: readonly NamedTensor[]): NamedTensorMap {
  return Object.fromEntries(gradients.map(({ name, tensor }) => [name, tensor]));
}

/**
 * Averages each gradient over the group. A missing gradient counts as zeros, and stays missing if
 * no rank has it. All at once: backward returns all gradients at once, and buckets would have
 * nothing to overlap with.
 * @param flat room for all values, and a number for each gradient
 */
function averageOverGroup(
  own: readonly Gradient[],
  flat: Float32Array,
  group: ProcessGroup,
  label: string,
): NamedTensor[] {
  const counts = flat.subarray(flat.length - own.length);
  let at = 0;
  own.forEach(({ tensor, size }, i) => {
    // Zeros of a rank without samples: 0 times its stand-in's gradient may be NaN.
    const isGiven = tensor !== null && currentStep()?.isGhost !== true;
    counts[i] = isGiven ? 1 : 0;
    if (isGiven) flat.set(floatsOf(tensor), at);
    else flat.fill(0, at, at + size);
    at += size;
  });
  const targets = [targetOf(flat, '', label)];
  const pass = averagePass(targets, [], { group, own: 1, total: 1, label });
  for (let work = pass.step(); work !== null; work = pass.step()) waitFor(group, work);
  at = 0;
  return own.map(({ name, shape, size }, i) => {
    const values = flat.subarray(at, at + size);
    at += size;
    if (counts[i] === 0) return { name, tensor: null as unknown as Tensor };
    return { name, tensor: tensorFrom(values, shape) };
  });
}
