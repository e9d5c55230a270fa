/**
 * Data parallelism: gradients are averaged over the ranks after the backward pass, as MindSpore's
 * DATA_PARALLEL mode and PyTorch's DistributedDataParallel do. One all-reduce of one flat float64
 * buffer, summed in rank order, so that every rank takes the same step.
 */

import { isChecked } from '../core/check-mode.js';
import { checkOptionNames } from '../core/options.js';
import { listOf, Parameter } from '../core/parameter.js';
import { show } from '../core/show.js';
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
import {
  describeTargets,
  type GradientHolder,
  gradientOf,
  type Target,
  targetOf,
} from './targets.js';

export type { GradientHolder } from './targets.js';

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

const AVERAGE = 'averageGradients';
const BROADCAST = 'broadcastParameters';

/**
 * Replaces each gradient by its average over the group. A parameter without a gradient counts as
 * zeros and gets the average, so that ranks which skipped a branch stay in step; without one on any
 * rank its `grad` stays null. All ranks must pass gradients of the same names, shapes and types in
 * the same order.
 * @throws TypeError for options that there are not, and for `lossReduction` without a count;
 *   RangeError for a sampleCount that is negative or not finite; MismatchError for other gradients
 *   on another rank
 */
export function averageGradients(
  holders: Iterable<GradientHolder>,
  options: AverageOptions = {},
): void {
  runNow(averagePass(holders, options, groupOf(options, AVERAGE), true));
}

/**
 * Like {@link averageGradients}, for `await startAverageGradients(...).done()`: it reads the
 * gradients when the passes that this thread has started before are over.
 */
export function startAverageGradients(
  holders: Iterable<GradientHolder>,
  options: AverageOptions = {},
): Work<void> {
  const group = groupOf(options, AVERAGE);
  return startInTurn(() => averagePass(holders, options, group, false), group.mayBlock);
}

/** The group that options name; a name alone is easily written where MindSpore has it. */
function groupOf(options: { group?: GroupLike }, caller: string): ProcessGroup {
  const group = typeof options === 'object' && options !== null ? options.group : null;
  return findGroup(group, caller);
}

/** What is sent: values times a factor, flags of those that are there, and the divisor's part. */
function averagePass(
  holders: Iterable<GradientHolder>,
  options: AverageOptions,
  group: ProcessGroup,
  blocking: boolean,
): Pass<void> {
  const check = () => {
    if (blocking) checkBlocking(group, '', AVERAGE);
    const list = listOf(holders, AVERAGE);
    const targets = list.map((holder) => gradientOf(holder, AVERAGE));
    return { list, targets, ...weightsOf(options) };
  };
  const { list, targets, own, total, by } = tellingPeers(() => group, AVERAGE, '', check);
  const label = `${AVERAGE}${by} of ${describeTargets(targets)}`;
  const parameters = list.flatMap((holder, i) =>
    holder instanceof Parameter ? [{ parameter: holder, target: targets[i] }] : [],
  );
  const length = targets.reduce((sum, { data }) => sum + data.length, 0);
  const flat = new Float64Array(length + parameters.length + 1);
  let at = 0;
  for (const { data, read } of targets) {
    const values = read();
    // Means over no samples are 0 / 0, and count for nothing.
    for (let i = 0; i < values.length; i++) flat[at + i] = own === 0 ? 0 : values[i] * own;
    at += data.length;
  }
  parameters.forEach(({ parameter }, i) => {
    flat[length + i] = parameter.grad === null ? 0 : 1;
  });
  flat[flat.length - 1] = total;
  const finish = () => {
    scatter(flat, targets);
    parameters.forEach(({ parameter, target: { data, shape, dtype } }, i) => {
      if (parameter.grad === null && flat[length + i] > 0) {
        parameter.grad = new Tensor(data, shape, dtype);
      }
    });
  };
  const average = () => after(meeting(group.allReduce(flat, { label }), flat), finish);
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
function weightsOf(options: AverageOptions): { own: number; total: number; by: string } {
  checkOptionNames(options, ['group', 'sampleCount', 'lossReduction'], AVERAGE);
  const { sampleCount, lossReduction = 'mean' } = options;
  if (lossReduction !== 'mean' && lossReduction !== 'sum') {
    throw new RangeError(
      `${AVERAGE}: lossReduction must be mean or sum, got ${show(lossReduction)}`,
    );
  }
  if (sampleCount === undefined) {
    if (options.lossReduction === 'sum') {
      throw new TypeError(`${AVERAGE}: lossReduction 'sum' needs a sampleCount to divide by`);
    }
    return { own: 1, total: 1, by: '' };
  }
  if (typeof sampleCount !== 'number' || !(sampleCount >= 0 && sampleCount < Infinity)) {
    throw new RangeError(
      `${AVERAGE}: sampleCount must be finite and 0 or more, got ${show(sampleCount)}`,
    );
  }
  const own = lossReduction === 'mean' ? sampleCount : 1;
  return { own, total: sampleCount, by: ` by sampleCount (${lossReduction})` };
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

/** Something with parameters and buffers, such as a layer. */
export interface StateHolder {
  readonly label: string;
  /** Its tensors themselves, not copies, by name. */
  stateTensors(): Readonly<Record<string, Tensor>>;
}

export interface BroadcastParametersOptions {
  /** Ranks that take part. Default: the world. */
  group?: GroupLike;
  /** Group rank that sends. Default 0. */
  root?: number;
}

/**
 * Copies the root's parameters to every rank of the group, and of layers their running statistics,
 * too. All ranks must pass the same names, shapes and types in the same order.
 * @throws TypeError for options that there are not; RangeError for a root that is not a rank of the
 *   group; MismatchError for other parameters on another rank
 */
export function broadcastParameters(
  holders: Iterable<GradientHolder | StateHolder>,
  options: BroadcastParametersOptions = {},
): void {
  runNow(broadcastPass(holders, options, groupOf(options, BROADCAST), true));
}

/** Like {@link broadcastParameters}, for `await startBroadcastParameters(...).done()`. */
export function startBroadcastParameters(
  holders: Iterable<GradientHolder | StateHolder>,
  options: BroadcastParametersOptions = {},
): Work<void> {
  const group = groupOf(options, BROADCAST);
  return startInTurn(() => broadcastPass(holders, options, group, false), group.mayBlock);
}

function broadcastPass(
  holders: Iterable<GradientHolder | StateHolder>,
  options: BroadcastParametersOptions,
  group: ProcessGroup,
  blocking: boolean,
): Pass<void> {
  const check = () => {
    if (blocking) checkBlocking(group, '', BROADCAST);
    checkOptionNames(options, ['group', 'root'], BROADCAST);
    const { root = 0 } = options;
    group.checkRoot(root, BROADCAST);
    return { root, targets: listOf(holders, BROADCAST).flatMap(valuesOf) };
  };
  const { root, targets } = tellingPeers(() => group, BROADCAST, '', check);
  const label = `${BROADCAST} of ${describeTargets(targets)}`;
  const values = targets.map((target) => Float64Array.from(target.read()));
  let place = 0;
  const step = () => {
    if (place > 0) targets[place - 1].write(values[place - 1]);
    if (place === targets.length) return null;
    return group.broadcast(values[place++], { root, label });
  };
  return { step, result: undefined };
}

/** The values of a parameter, an array, or all of a layer. */
function valuesOf(holder: GradientHolder | StateHolder): Target[] {
  if (holder instanceof Parameter) return [targetOf(holder.data, holder.name, BROADCAST)];
  if (typeof (holder as Partial<StateHolder> | null)?.stateTensors !== 'function') {
    return [targetOf(holder as Tensor, '', BROADCAST)];
  }
  const { label } = holder as StateHolder;
  return Object.entries((holder as StateHolder).stateTensors()).map(([name, tensor]) =>
    targetOf(tensor, `${label} ${name}`, BROADCAST),
  );
}
