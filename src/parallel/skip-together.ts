/** One answer for all ranks, so that none leaves out a batch that another one trains on. */

import { checkOptionNames } from '../core/options.js';
import { show } from '../core/show.js';
import {
  after,
  checkBlocking,
  finished,
  meeting,
  type Pass,
  runNow,
  startInTurn,
} from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import { tellingPeers } from '../group/tell-peers.js';
import type { Work } from '../group/transport.js';
import { findGroup, type GroupLike } from '../group/world.js';

export interface SkipOptions {
  /** Ranks that must agree, such as a layer's `processGroup`. Default: the world. */
  group?: GroupLike;
}

const CALLER = 'skipTogether';

/**
 * Whether any rank of the group wants to skip: the same answer on all of them. A rank that left a
 * batch out by itself would leave the others waiting in the next layer.
 * @param skip whether this rank wants to, for instance because its batch could not be read
 * @throws TypeError for anything but true and false, on the group's other ranks, too
 * @example
 * const batch = await read(step);
 * if (skipTogether(batch === null, { group: bn.processGroup })) continue;
 */
export function skipTogether(skip: boolean, options: SkipOptions = {}): boolean {
  return runNow(skipPass(skip, options, groupOf(options), true));
}

/** Like {@link skipTogether}, for `await startSkipTogether(...).done()`. */
export function startSkipTogether(skip: boolean, options: SkipOptions = {}): Work<boolean> {
  const group = groupOf(options);
  return startInTurn(() => skipPass(skip, options, group, false), group.mayBlock);
}

function groupOf(options: SkipOptions): ProcessGroup {
  return findGroup((options as SkipOptions | null)?.group, CALLER);
}

function skipPass(
  skip: boolean,
  options: SkipOptions,
  group: ProcessGroup,
  blocking: boolean,
): Pass<boolean> {
  tellingPeers(
    () => group,
    CALLER,
    '',
    () => {
      if (blocking) checkBlocking(group, '', CALLER);
      checkOptionNames(options, ['group'], CALLER);
      if (typeof skip === 'boolean') return;
      throw new TypeError(`${CALLER}: skip must be true or false, got ${show(skip)}`);
    },
  );
  if (group.size === 1) return finished(skip);
  const votes = Int32Array.of(skip ? 1 : 0);
  const work = group.allReduce(votes, { op: 'max', label: CALLER });
  return after(meeting(work, votes), ([vote]) => vote === 1);
}
