/** `trainingStep`: one step of the user's own loop, over all ranks. */

import { checkOptionNames } from '../../../core/options.js';
import { findGroup, type GroupLike } from '../../../group/world.js';
import { sumOverGroup, tellingErrors } from '../peers.js';
import { runStep } from './current-step.js';

const LABEL = 'trainingStep';

export interface TrainingStepOptions {
  /** Ranks that train together. Default: the world. */
  group?: GroupLike;
}

/**
 * Runs `f` as one step over all ranks of the group, each of which calls it. Synchronized layers and
 * optimizers of `distribute` inside weigh by the samples, so that uneven and empty parts give the
 * result of one rank with the whole batch; without `trainingStep` all ranks weigh the same.
 * @param samples of this rank's part. With 0, `f` works on a stand-in: a batch of any values and
 *   the right shape, whose results are not used
 * @param f synchronous; its cost is the mean over this rank's samples
 * @returns the result of `f`; null, without a call, if no rank has samples
 * @throws TypeError and RangeError for arguments that do not fit. Errors reach all ranks
 * @example
 * const cost = trainingStep(xs.shape[0], () => optimizer.minimize(() => loss(xs, ys), true));
 */
export function trainingStep<T>(
  samples: number,
  f: () => T,
  options: TrainingStepOptions = {},
): T | null {
  checkOptionNames(options, ['group'], LABEL);
  const group = findGroup(options.group, LABEL);
  return tellingErrors(group, LABEL, () => {
    check(samples, f);
    const total = group.size === 1 ? samples : sumOverGroup(group, [samples], LABEL)[0];
    if (total === 0) return null;
    const result = runStep(samples, total, group.size, f);
    if (result instanceof Promise) {
      throw new TypeError(`${LABEL}: the step must be synchronous, and it returned a promise`);
    }
    return result;
  });
}

function check(samples: unknown, f: unknown): void {
  if (typeof samples !== 'number') {
    throw new TypeError(`${LABEL}: samples must be a number, got ${typeof samples}`);
  }
  if (!(samples >= 0 && samples < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`${LABEL}: samples must be finite and 0 or more, got ${samples}`);
  }
  if (typeof f !== 'function') {
    throw new TypeError(`${LABEL}: the step must be a function, got ${typeof f}`);
  }
}
