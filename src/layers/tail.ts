/**
 * The steps after the normalisation of a forward call, `add` and `activation`: checks of the
 * options, and the gradients. Few calls have them: `init` loads this file.
 *
 *     y = activation(normalised x + add),   g = dy where y > 0 or NaN, else 0 (without 'relu': dy)
 *
 * The gradient of add is g, and x, weight and bias have their gradients from g instead of dy. The
 * sign comes from y, not from the sum computed again: that would need `add` once more, and a
 * rounding that is the same to the bit.
 */

import type { checkChoice } from '../core/checks.js';
import type { TensorData } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import type { Tensor } from '../core/tensor.js';
import type { BackwardOptions, ForwardContext, ForwardOptions, KeptTail } from './context.js';
import type { checkOut, overlaps } from './results.js';
import type { Saved, Tail } from './synchronization.js';

/** Functions of other modules: importing them here would split bundles of the entry further. */
export interface Checks {
  readonly checkChoice: typeof checkChoice;
  readonly checkOut: typeof checkOut;
  readonly overlaps: typeof overlaps;
}

/** The part of a backward call that is needed here: see calls.ts. */
interface Call {
  readonly context: ForwardContext;
  readonly saved: Saved;
  readonly out: Tensor;
  readonly values: TensorData;
}

/** @throws TypeError and RangeError for options that do not fit the input; null: no tail */
export function tailFor(
  { add, activation = 'none' }: ForwardOptions,
  x: Tensor,
  label: string,
  { checkChoice, checkOut }: Checks,
): Tail | null {
  checkChoice(activation, ['none', 'relu'], `${label}: activation`);
  const rectify = activation === 'relu';
  if (add === undefined) return rectify ? { add: null, rectify } : null;
  checkOut(add, x, [], label, 'add');
  return { add: add.data, rectify };
}

/** @param digestOf of the checked mode, if it is on */
export function keptOf(
  { add, rectify }: Tail,
  y: Tensor,
  digestOf: ((y: Tensor) => number) | undefined,
): KeptTail {
  const kept = rectify ? y : null;
  return { hasAdd: add !== null, y: kept, digest: kept && (digestOf?.(kept) ?? null) };
}

/**
 * Returns a backward call whose dy is the gradient of the tail's input.
 * @throws TypeError and RangeError for an `addOut` that does not fit
 */
export function gated<C extends Call>(
  call: C,
  dy: Tensor,
  { addOut }: BackwardOptions,
  label: string,
  { checkOut, overlaps }: Checks,
): C {
  const { context, saved, out } = call;
  const { tail, input } = context;
  if (addOut !== undefined && !tail?.hasAdd) {
    throw new RangeError(
      `${label}: addOut is for the gradient of add, which the call did not have`,
    );
  }
  const y = tail?.y ?? null;
  if (y !== null && tail?.hasAdd && addOut === undefined) {
    throw new TypeError(
      `${label}: addOut must be the tensor that gets the gradient of add, or null, got undefined`,
    );
  }
  const inputs = y === null ? [dy] : [dy, y];
  const target = addOut ? checkOut(addOut, dy, inputs, label, 'addOut') : null;
  for (const [other, name] of [
    [input, 'the input'],
    [out, 'out'],
  ] as const) {
    if (target === null || !overlaps(target, other)) continue;
    throw new RangeError(`${label}: addOut may not share memory with ${name}`);
  }
  if (y === null) {
    if (target !== null) copyGradient(target.data, dy.data, saved.layout);
    return call;
  }
  checkOut(y, dy, [], label, 'the output');
  checkOut(out, dy, [y], label);
  // dx itself holds g, unless it lies over x, which is read later.
  const g = target ?? (overlaps(out, input) ? checkOut(undefined, dy, [], label) : out);
  const [values, from, by] = [g.data, dy.data, y.data];
  const { layout } = saved;
  return {
    ...call,
    values,
    saved: {
      ...saved,
      gate: (kernels, block) => kernels.tails().gate(values, from, by, layout, block),
    },
  };
}

/** Copies dy, and 0 for values without an output under a mask. */
function copyGradient(target: TensorData, dy: TensorData, layout: Layout): void {
  const { channels, plane, channelsLast, mask } = layout;
  if (target !== dy) target.set(dy);
  if (!mask?.zero) return;
  mask.places.forEach((counts, place) => {
    if (counts !== 0) return;
    const [sample, position] = [Math.floor(place / plane), place % plane];
    const first = channelsLast ? place * channels : sample * channels * plane + position;
    const step = channelsLast ? 1 : plane;
    for (let c = 0; c < channels; c++) target[first + c * step] = 0;
  });
}
