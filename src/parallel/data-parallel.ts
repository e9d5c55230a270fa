/**
 * Data parallelism: gradients are averaged over the ranks after the backward pass, as MindSpore's
 * DATA_PARALLEL mode and PyTorch's DistributedDataParallel do. One all-reduce of one flat float64
 * buffer, summed in rank order, so that every rank takes the same step.
 */

import { isChecked } from '../core/check-mode.js';
import { type FloatArray, narrow, type TensorData } from '../core/dtype.js';
import { Parameter } from '../core/parameter.js';
import { Tensor } from '../core/tensor.js';
import { Agreement } from '../group/agreement.js';
import {
  after,
  before,
  checkBlocking,
  meeting,
  type Pass,
  runNow,
  startInTurn,
} from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import { tellingPeers } from '../group/tell-peers.js';
import type { Work } from '../group/transport.js';
import { findGroup, type GroupLike } from '../group/world.js';

/** Something with a gradient: a parameter, or an array of gradients, changed in place. */
export type GradientHolder = Parameter | Tensor | FloatArray;

export interface AverageOptions {
  /** Ranks to average over. Default: the world. */
  group?: GroupLike;
  /**
   * Samples that this rank's gradients come from, 0 or more; ranks may differ. Default: all ranks
   * weigh the same.
   */
  sampleCount?: number;
  /**
   * With `sampleCount`, what each rank's loss was. 'mean' (default): the mean over its samples, so
   * that gradients are weighted by the counts. 'sum': the sum over its samples, so that gradients
   * are summed and divided by all samples; with synchronized layers and uneven batches only this
   * is exact, since their backward pass adds up gradients of other ranks' samples.
   */
  lossReduction?: 'mean' | 'sum';
}

/**
 * Replaces each gradient by its average over the group. A parameter without a gradient counts as
 * zeros and gets the average, so that ranks which skipped a branch stay in step.
 * @throws RangeError for a sampleCount that is negative or not finite; all ranks must pass
 *   gradients of the same sizes in the same order
 */
export function averageGradients(
  holders: Iterable<GradientHolder>,
  options: AverageOptions = {},
): void {
  const group = findGroup(options.group, AVERAGE);
  runNow(averagePass(holders, options, group, true));
}

/**
 * Like {@link averageGradients}, for `await startAverageGradients(...).done()`: it reads the
 * gradients when the passes that this thread has started before are over.
 */
export function startAverageGradients(
  holders: Iterable<GradientHolder>,
  options: AverageOptions = {},
): Work<void> {
  const group = findGroup(options.group, AVERAGE);
  return startInTurn(() => averagePass(holders, options, group, false), group.mayBlock);
}

const AVERAGE = 'averageGradients';

function averagePass(
  holders: Iterable<GradientHolder>,
  options: AverageOptions,
  group: ProcessGroup,
  blocking: boolean,
): Pass<void> {
  const { own, total, label, list, targets } = tellingPeers(
    () => group,
    AVERAGE,
    '',
    () => {
      if (blocking) checkBlocking(group, '', AVERAGE);
      const list = [...holders];
      return { ...weightsOf(options), list, targets: list.map(gradientOf) };
    },
  );
  const length = targets.reduce((sum, { data }) => sum + data.length, 0);
  const flat = new Float64Array(length + 1);
  let at = 0;
  for (const { data, read } of targets) {
    const values = read();
    // Means over no samples are 0 / 0, and count for nothing.
    for (let i = 0; i < values.length; i++) flat[at + i] = own === 0 ? 0 : values[i] * own;
    at += data.length;
  }
  flat[length] = total;
  const average = () =>
    after(meeting(group.allReduce(flat, { label }), flat), () => scatter(flat, targets));
  const compare = isChecked() && group.size > 1;
  return before(compare ? agreementOf(list, group) : null, average);
}

/** In the checked mode: whether all ranks hold the same parameters. */
function agreementOf(holders: readonly GradientHolder[], group: ProcessGroup): Agreement {
  const parameters = holders.filter((holder) => holder instanceof Parameter);
  const tensors = parameters.map(({ name, data }, i) => ({
    name: `${name} (${i})`,
    data: data.data,
  }));
  return new Agreement(group, AVERAGE, { holders: holders.length }, tensors);
}

/** Factor of this rank's gradients, its part of the divisor, and what all ranks must agree on. */
function weightsOf({ sampleCount, lossReduction = 'mean' }: AverageOptions) {
  if (lossReduction !== 'mean' && lossReduction !== 'sum') {
    throw new RangeError(
      `averageGradients: lossReduction must be mean or sum, got ${String(lossReduction)}`,
    );
  }
  if (sampleCount === undefined) return { own: 1, total: 1, label: AVERAGE };
  if (typeof sampleCount !== 'number' || !(sampleCount >= 0 && sampleCount < Infinity)) {
    throw new RangeError(
      `averageGradients: sampleCount must be finite and 0 or more, got ${String(sampleCount)}`,
    );
  }
  const label = `averageGradients by sampleCount (${lossReduction})`;
  return { own: lossReduction === 'mean' ? sampleCount : 1, total: sampleCount, label };
}

interface Target {
  readonly data: TensorData;
  read(): ArrayLike<number>;
  write(values: Float64Array): void;
}

function gradientOf(holder: GradientHolder): Target {
  if (holder instanceof Parameter) {
    holder.grad ??= Tensor.zeros(holder.data.shape, holder.data.dtype);
    return targetOf(holder.grad, 'averageGradients');
  }
  return targetOf(holder, 'averageGradients');
}

function targetOf(holder: Tensor | FloatArray, caller: string): Target {
  if (holder instanceof Tensor) {
    const { data, dtype } = holder;
    return { data, read: () => holder.toFloats(), write: (values) => narrow(values, data, dtype) };
  }
  if (holder instanceof Float32Array || holder instanceof Float64Array) {
    return { data: holder, read: () => holder, write: (values) => holder.set(values) };
  }
  throw new TypeError(
    `${caller}: expected Parameters, Tensors, Float32Arrays or Float64Arrays, got ${typeof holder}`,
  );
}

/** Divides the sums by their last element and hands them out. */
function scatter(flat: Float64Array, targets: readonly Target[]): void {
  const divisor = flat[flat.length - 1];
  let at = 0;
  for (const { data, write } of targets) {
    const values = flat.subarray(at, at + data.length);
    // No samples anywhere: the gradients are sums over nothing, 0.
    for (let i = 0; i < values.length; i++) values[i] = divisor === 0 ? 0 : values[i] / divisor;
    write(values);
    at += data.length;
  }
}

export interface BroadcastParametersOptions {
  /** Ranks that take part. Default: the world. */
  group?: GroupLike;
  /** Group rank that sends. Default 0. */
  root?: number;
}

/**
 * Copies the root's parameters to every rank of the group.
 * @throws RangeError for a root that is not a rank of the group; all ranks must pass parameters of
 *   the same sizes in the same order
 */
export function broadcastParameters(
  holders: Iterable<GradientHolder>,
  options: BroadcastParametersOptions = {},
): void {
  const group = findGroup(options.group, BROADCAST);
  runNow(broadcastPass(holders, options, group, true));
}

/** Like {@link broadcastParameters}, for `await startBroadcastParameters(...).done()`. */
export function startBroadcastParameters(
  holders: Iterable<GradientHolder>,
  options: BroadcastParametersOptions = {},
): Work<void> {
  const group = findGroup(options.group, BROADCAST);
  return startInTurn(() => broadcastPass(holders, options, group, false), group.mayBlock);
}

const BROADCAST = 'broadcastParameters';

function broadcastPass(
  holders: Iterable<GradientHolder>,
  { root = 0 }: BroadcastParametersOptions,
  group: ProcessGroup,
  blocking: boolean,
): Pass<void> {
  const label = BROADCAST;
  const check = () => {
    if (blocking) checkBlocking(group, '', label);
    group.checkRoot(root, label);
    return [...holders].map((holder) =>
      targetOf(holder instanceof Parameter ? holder.data : holder, label),
    );
  };
  const targets = tellingPeers(() => group, label, '', check);
  const values = targets.map((target) => Float64Array.from(target.read()));
  let place = 0;
  const step = () => {
    if (place > 0) targets[place - 1].write(values[place - 1]);
    if (place === targets.length) return null;
    return group.broadcast(values[place++], { root, label });
  };
  return { step, result: undefined };
}
