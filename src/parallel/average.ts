/**
 * Data parallelism: gradients are averaged over the ranks after the backward pass, as MindSpore's
 * DATA_PARALLEL mode and PyTorch's DistributedDataParallel do. Sums run in rank order, in float64,
 * and are rounded once, so that every rank takes the same step.
 */

import { slotWhenChecked } from '../core/check-mode.js';
import { checkType } from '../core/checks.js';
import { narrow, widen } from '../core/dtype.js';
import { needFeature } from '../core/features.js';
import { checkOptionNames } from '../core/options.js';
import { listOf, Parameter } from '../core/parameter.js';
import { show } from '../core/show.js';
import { Tensor } from '../core/tensor.js';
import { after, before, checkBlocking, finished, type Pass } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import { tellingPeers } from '../group/tell-peers.js';
import type { GroupLike } from '../group/world.js';
import { averagePass } from './average-pass.js';
import { exactPasses } from './exact-passes.js';
import { describeTargets, type GradientHolder, gradientOf, type Target } from './targets.js';

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
   * With `sampleCount`, the reduction of each rank's loss. 'mean' (default): the mean over its
   * samples, so that gradients are weighted by the counts. 'sum': the sum over its samples, so that
   * gradients are summed and divided by all samples. With synchronized layers and uneven batches
   * only 'sum' is exact, since their backward pass adds up gradients of other ranks' samples.
   */
  lossReduction?: 'mean' | 'sum';
  /**
   * If true, sums over the ranks are exact, so that their order has no part in the result. Then a
   * parameter's `grad` may hold a gradient for each of the rank's samples, shape (n, ...shape). All
   * of them are summed exactly, and `grad` becomes the average, of the parameter's shape. With
   * `lossReduction: 'sum'` its bits do not depend on how the samples are split over the ranks.
   * Slow: each number meets the other ranks twice, in 24 bytes. Default false.
   */
  reproducible?: boolean;
}

const AVERAGE = 'averageGradients';
/** The checked mode. */
export const averageChecks = slotWhenChecked<typeof import('./checked.js')>();
const OPTIONS = ['group', 'sampleCount', 'lossReduction', 'reproducible'];

/** Averages gradients. */
export function gradientPass(
  holders: Iterable<GradientHolder>,
  options: AverageOptions,
  group: ProcessGroup,
  blocking: boolean,
): Pass<void> {
  const check = () => {
    if (blocking) checkBlocking(group, '', AVERAGE);
    const list = listOf(holders, AVERAGE);
    const weights = weightsOf(options);
    const { reproducible } = options;
    const targets = list.map((holder) =>
      reproducible
        ? exactPasses().rowsOf(holder, AVERAGE)
        : { ...gradientOf(holder, AVERAGE), rows: 1 },
    );
    return { list, targets, reproducible, ...weights };
  };
  const checked = tellingPeers(() => group, AVERAGE, '', check);
  const { list, targets, own, total, by, reproducible } = checked;
  // A parameter's gradient may be missing on this rank, but not on another.
  const optional = list.flatMap((holder, i) => (holder instanceof Parameter ? [i] : []));
  const label = `${AVERAGE}${by} of ${describeTargets(targets)}`;
  const all = { group, own, total, label };
  if (reproducible) {
    const { exactPass, putAverage } = exactPasses();
    const exact = () =>
      after(exactPass(targets, optional, all), () => {
        for (const [i, holder] of list.entries()) putAverage(holder, targets[i]);
      });
    return before(agreementOf(list, group), exact);
  }
  const finish = () => {
    for (const i of optional) {
      const parameter = list[i] as Parameter;
      const { data, shape, dtype } = targets[i];
      if (data !== null) parameter.grad ??= new Tensor(data, shape, dtype);
    }
  };
  if (group.size === 1) {
    for (const target of targets) scale(target, own, total);
    return after(finished(undefined), finish);
  }
  const average = () => after(averagePass(targets, optional, all), finish);
  return before(agreementOf(list, group), average);
}

/** Averages over one rank. */
function scale({ data, dtype }: Target, own: number, total: number): void {
  // Means over samples are averages already; means over no samples are 0 / 0, and must not count.
  if (data === null || (own === total && total !== 0)) return;
  if (total === 0) {
    data.fill(0);
    return;
  }
  const values = widen(data, dtype);
  for (let i = 0; i < values.length; i++) values[i] = (values[i] * own) / total;
  if (data !== values) narrow(values, data, dtype);
}

/** In the checked mode, compares the parameters of all ranks. */
function agreementOf(holders: readonly GradientHolder[], group: ProcessGroup): Pass<void> | null {
  return group.size > 1 ? (averageChecks()?.agreementOf(holders, group, AVERAGE) ?? null) : null;
}

/** Finds the factor of this rank's gradients, its part of the divisor, and the text to agree on. */
function weightsOf(options: AverageOptions): { own: number; total: number; by: string } {
  checkOptionNames(options, OPTIONS, AVERAGE);
  const { sampleCount, lossReduction = 'mean', reproducible = false } = options;
  if (lossReduction !== 'mean' && lossReduction !== 'sum') {
    throw new RangeError(
      `${AVERAGE}: lossReduction must be mean or sum, got ${show(lossReduction)}`,
    );
  }
  checkType(reproducible, 'boolean', `${AVERAGE}: reproducible`);
  if (reproducible) needFeature('reproducible', AVERAGE);
  const how = reproducible ? ' exactly' : '';
  if (sampleCount === undefined) {
    if (options.lossReduction === 'sum') {
      throw new TypeError(`${AVERAGE}: lossReduction 'sum' needs a sampleCount to divide by`);
    }
    return { own: 1, total: 1, by: how };
  }
  if (typeof sampleCount !== 'number' || !(sampleCount >= 0 && sampleCount < Infinity)) {
    throw new RangeError(
      `${AVERAGE}: sampleCount must be finite and 0 or more, got ${show(sampleCount)}`,
    );
  }
  const own = lossReduction === 'mean' ? sampleCount : 1;
  return { own, total: sampleCount, by: `${how} by sampleCount (${lossReduction})` };
}
