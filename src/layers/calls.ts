/** A forward and a backward call after the check of their arguments, up to the first collective. */

import { checkChoice, checkType } from '../core/checks.js';
import type { TensorData } from '../core/dtype.js';
import { needFeature } from '../core/features.js';
import { type Layout, layoutOf } from '../core/layout.js';
import { checkOptionNames } from '../core/options.js';
import { Tensor } from '../core/tensor.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { BackwardOptions, ForwardContext, ForwardOptions } from './context.js';
import { maskFor } from './mask-option.js';
import { checkGradient, checkInput } from './pass-checks.js';
import { checkOut, overlaps } from './results.js';
import type { BatchNormSetup } from './setup.js';
import type { Affine, Saved, Tail } from './synchronization.js';
import { tailCalls } from './tail-calls.js';

const CHECKS = { checkChoice, checkOut, overlaps };

/** A forward call that is under way: its input, and the tensor for y. */
export interface ForwardCall {
  readonly x: Tensor;
  readonly out: Tensor;
  readonly y: TensorData;
  readonly values: TensorData;
  readonly layout: Layout;
  readonly affine: Affine;
}

/** A backward call that is under way: dy, and the tensor for dx. */
export interface BackwardCall {
  readonly context: ForwardContext;
  readonly saved: Saved;
  readonly out: Tensor;
  readonly values: TensorData;
  readonly dx: TensorData;
  readonly accumulate: boolean;
}

/** @throws TypeError and RangeError for arguments that do not fit; nothing was changed */
export function prepareForward(
  x: Tensor,
  options: ForwardOptions,
  group: ProcessGroup | null,
  training: boolean,
  setup: BatchNormSetup,
): ForwardCall {
  const { label, channelsLast } = setup;
  checkOptionNames(options, FORWARD_OPTIONS, label);
  const { out: given, track = true } = options;
  if (track !== true) checkType(track, 'boolean', `${label}: track`);
  checkInput(x, group, setup);
  const apart = !(given instanceof Tensor) || !overlaps(given, x);
  if (!apart && training && group !== null) {
    throw new RangeError(`${label}: out may be the input in inference only; backward needs it`);
  }
  const tail = tailOf(options, x, label);
  const inputs = apart ? NONE : [x];
  const added = tail !== null && tail.add !== null ? [...inputs, options.add as Tensor] : inputs;
  const out = checkOut(given, x, added, label);
  const mask = maskFor(options, x.shape, channelsLast, label);
  const layout = layoutOf(x.shape, channelsLast, x.dtype, mask);
  return { x, out, y: out.data, values: x.data, layout, affine: affineOf(setup, tail) };
}

const NONE: readonly Tensor[] = [];
const FORWARD_OPTIONS = ['out', 'track', 'mask', 'maskedOutput', 'add', 'activation'];
const BACKWARD_OPTIONS = ['context', 'out', 'accumulate', 'addOut'];

function tailOf(options: ForwardOptions, x: Tensor, label: string): Tail | null {
  if (options.add === undefined && options.activation === undefined) return null;
  needFeature('tail', label);
  return tailCalls().tailFor(options, x, label, CHECKS);
}

function affineOf({ weight, bias, eps }: BatchNormSetup, tail: Tail | null): Affine {
  const values = weight === null ? null : weight.data.toFloats();
  return { weight: values, bias: bias === null ? null : bias.data.toFloats(), eps, tail };
}

/** @throws Error without a forward call to go back through; TypeError and RangeError as above */
export function prepareBackward(
  dy: Tensor,
  context: ForwardContext | null,
  options: BackwardOptions,
  layer: object,
  label: string,
): BackwardCall {
  checkOptionNames(options, BACKWARD_OPTIONS, label);
  const { out: given, accumulate = false } = options;
  if (accumulate !== false) checkType(accumulate, 'boolean', `${label}: accumulate`);
  const saved = checkGradient(dy, context, layer, label);
  const { input } = context as ForwardContext;
  const out = checkOut(given, dy, [dy, input], label);
  const { data: values } = dy;
  const { data: dx } = out;
  const call = { context: context as ForwardContext, saved, out, values, dx, accumulate };
  return call.context.tail === null && options.addOut === undefined
    ? call
    : tailCalls().gated(call, dy, options, label, CHECKS);
}
