/** The layer by the package's kernels, on the backend's own memory: cpu and wasm. */

import { customGrad, engine, type Tensor, tensor1d, type Variable } from '@tensorflow/tfjs-core';
import type { Layout } from '../../../core/layout.js';
import { maskOf } from '../../../core/mask.js';
import type { ProcessGroup } from '../../../group/process-group.js';
import type { Affine, GradientSums, Saved } from '../../../layers/synchronization.js';
import { meeting } from '../peers.js';
import { currentStep } from '../training/current-step.js';
import { createOutput, floatsOf, viewsOf } from '../views.js';
import { layoutFor } from './axis.js';
import { affineOf, type BuiltInLayer } from './built-in.js';
import { differentiableOnce } from './once.js';
import type { LayerState } from './state.js';

/** A forward pass into `y`. */
type Forward = (y: Float32Array, x: Float32Array, affine: Affine) => Saved;

/** The layer, its state and the group of a pass. */
interface Pass {
  readonly layer: BuiltInLayer;
  readonly state: LayerState;
  readonly layout: Layout;
  /** Null: moving statistics, and no other ranks. */
  readonly group: ProcessGroup | null;
}

/** Computes y by the statistics of the group's batch, which the moving statistics learn. */
export function trainByKernels(
  layer: BuiltInLayer,
  state: LayerState,
  x: Tensor,
  axis: number,
  group: ProcessGroup,
  mask: ArrayLike<number> | null,
): Tensor {
  const whole = { ...layoutFor(x.shape, axis), mask: mask && maskOf(mask) };
  const layout = currentStep()?.isGhost ? { ...whole, samples: 0 } : whole;
  const { synchronization } = state;
  const pass = { layer, state, layout, group };
  const y = meeting(group, synchronization.label, () => {
    synchronization.reserve(group);
    return differentiable(pass, x, (...arrays) => {
      const [y, values, affine] = arrays;
      return synchronization.forward(y, values, layout, affine, group);
    });
  });
  state.write();
  return y;
}

/** Computes y by the moving statistics; sends nothing. */
export function inferByKernels(
  layer: BuiltInLayer,
  state: LayerState,
  x: Tensor,
  axis: number,
): Tensor {
  const layout = layoutFor(x.shape, axis);
  const { synchronization } = state;
  synchronization.reserve(null);
  const moving = [layer.movingMean.read(), layer.movingVariance.read()];
  const forward: Forward = (y, values, affine) => {
    const [mean, variance] = moving.map(copyOf);
    return synchronization.forwardBy(y, values, layout, affine, mean, variance);
  };
  const pass = { layer, state, layout, group: null };
  return engine().isTapeOn() ? differentiable(pass, x, forward) : plain(pass, x, forward);
}

/** Runs forward without a backward call. */
function plain({ layer, state }: Pass, x: Tensor, forward: Forward): Tensor {
  const y = createOutput(x.shape);
  const { gamma, beta } = affineOf(layer);
  const affine = affineArrays(layer, gamma, beta);
  const [values, target] = viewsOf(x, y.tensor);
  state.synchronization.release(forward(target, values, affine));
  return y.tensor;
}

/** Runs forward with the gradients of x, gamma and beta. */
function differentiable(pass: Pass, x: Tensor, forward: Forward): Tensor {
  const { layer, layout } = pass;
  const { gamma, beta, list } = affineOf(layer);
  return customGrad((...args) => {
    const save = args.at(-1) as unknown as (tensors: Tensor[]) => void;
    const input = args[0] as Tensor;
    // A tensor from the start: if the ranks' meeting fails, it is freed.
    const y = createOutput(input.shape);
    const affine = affineArrays(layer, gamma, beta);
    const [values, target] = viewsOf(input, y.tensor);
    if (layout.samples === 0) target.fill(0);
    const saved = forward(target, values, affine);
    save([input]);
    return {
      value: y.tensor,
      gradFunc: (dy: Tensor, kept: Tensor[]) => gradients(pass, dy, kept[0], saved),
    };
  })(x, ...list);
}

function gradients(pass: Pass, dy: Tensor, x: Tensor, saved: Saved): Tensor[] {
  const { layer, state, layout, group } = pass;
  const { synchronization } = state;
  const { label } = synchronization;
  const dx = createOutput(x.shape);
  const [dxValues, dyValues, xValues] = viewsOf(dx.tensor, dy, x);
  if (layout.samples === 0) dxValues.fill(0);
  const backward = () => synchronization.backward(dxValues, dyValues, xValues, saved);
  const sums: GradientSums = group === null ? backward() : meeting(group, label, backward);
  const results = [dx.tensor];
  if (layer.scale) results.push(tensor1d(Float32Array.from(sums.dyXhat)));
  if (layer.center) results.push(tensor1d(Float32Array.from(sums.dy)));
  return results.map((result) => differentiableOnce(result, [dy, x], label));
}

/** Copies: they have C numbers each, and views would not outlive the next allocation. */
function affineArrays(
  { epsilon }: BuiltInLayer,
  gamma: Variable | null,
  beta: Variable | null,
): Affine {
  return { weight: gamma && copyOf(gamma), bias: beta && copyOf(beta), eps: epsilon };
}

function copyOf(x: Tensor): Float32Array {
  return floatsOf(x).slice();
}
