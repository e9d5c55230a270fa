/** Data parallelism as programs call it. It runs between ranks alone: `init` loads its code. */

import { runNow, startInTurn } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Work } from '../group/transport.js';
import { findGroup, type GroupLike } from '../group/world.js';
import type { AverageOptions } from './average.js';
import type { BroadcastParametersOptions, StateHolder } from './broadcast.js';
import { broadcastPass, gradientPass, skipPass } from './loads.js';
import type { SkipOptions } from './skip-together.js';
import type { GradientHolder } from './targets.js';

export type { AverageOptions } from './average.js';
export type { BroadcastParametersOptions, StateHolder } from './broadcast.js';
export type { SkipOptions } from './skip-together.js';
export type { GradientHolder } from './targets.js';

/**
 * Replaces each gradient by its average over the group. A parameter without a gradient counts as
 * zeros and gets the average, so that ranks which skipped a branch stay in step; if no rank has a
 * gradient, its `grad` stays null. All ranks must pass gradients of the same names, shapes and
 * types in the same order. When it fails, some gradients may be averages already.
 * @throws TypeError for unknown options, and for `lossReduction` without a count; RangeError for a
 *   sampleCount that is negative or not finite; MismatchError for other gradients on another rank
 */
export function averageGradients(
  holders: Iterable<GradientHolder>,
  options: AverageOptions = {},
): void {
  const group = groupOf(options, 'averageGradients');
  runNow(gradientPass(holders, options, group, true));
}

/**
 * Like {@link averageGradients}, for `await startAverageGradients(...).done()`: it reads the
 * gradients when the earlier passes of this thread are over.
 */
export function startAverageGradients(
  holders: Iterable<GradientHolder>,
  options: AverageOptions = {},
): Work<void> {
  const group = groupOf(options, 'averageGradients');
  return startInTurn(() => gradientPass(holders, options, group, false), group.mayBlock);
}

/**
 * Copies the root's parameters, and the running statistics of layers, to every rank of the group.
 * All ranks must pass the same names, shapes and types in the same order.
 * @throws TypeError for unknown options; RangeError for a root that is not a rank of the group;
 *   MismatchError for other parameters on another rank
 */
export function broadcastParameters(
  holders: Iterable<GradientHolder | StateHolder>,
  options: BroadcastParametersOptions = {},
): void {
  const group = groupOf(options, 'broadcastParameters');
  runNow(broadcastPass(holders, options, group, true));
}

/** Like {@link broadcastParameters}, for `await startBroadcastParameters(...).done()`. */
export function startBroadcastParameters(
  holders: Iterable<GradientHolder | StateHolder>,
  options: BroadcastParametersOptions = {},
): Work<void> {
  const group = groupOf(options, 'broadcastParameters');
  return startInTurn(() => broadcastPass(holders, options, group, false), group.mayBlock);
}

/**
 * Tells if any rank of the group wants to skip: the same answer on all of them. A rank that left a
 * batch out by itself would leave other ranks waiting in the next layer.
 * @param skip true if this rank wants to, for instance because its batch could not be read
 * @throws TypeError for anything but true and false, on the group's other ranks, too
 * @example
 * const batch = await read(step);
 * if (skipTogether(batch === null, { group: bn.processGroup })) continue;
 */
export function skipTogether(skip: boolean, options: SkipOptions = {}): boolean {
  const group = groupOf(options, 'skipTogether');
  return runNow(skipPass(skip, options, group, true));
}

/** Like {@link skipTogether}, for `await startSkipTogether(...).done()`. */
export function startSkipTogether(skip: boolean, options: SkipOptions = {}): Work<boolean> {
  const group = groupOf(options, 'skipTogether');
  return startInTurn(() => skipPass(skip, options, group, false), group.mayBlock);
}

/** Finds the group in options; a name alone is easily written, as in MindSpore. */
function groupOf(options: { group?: GroupLike }, caller: string): ProcessGroup {
  const group = typeof options === 'object' && options !== null ? options.group : null;
  return findGroup(group, caller);
}
