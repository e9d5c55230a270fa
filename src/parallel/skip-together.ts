/** One answer for all ranks, so that none leaves out a batch that another one trains on. */

import { checkType } from '../core/checks.js';
import { checkOptionNames } from '../core/options.js';
import { after, checkBlocking, finished, meeting, type Pass } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import { tellingPeers } from '../group/tell-peers.js';
import type { GroupLike } from '../group/world.js';

export interface SkipOptions {
  /** Ranks that must agree, such as a layer's `processGroup`. Default: the world. */
  group?: GroupLike;
}

const SKIP = 'skipTogether';

/** Asks all ranks if one wants to skip. */
export function skipPass(
  skip: boolean,
  options: SkipOptions,
  group: ProcessGroup,
  blocking: boolean,
): Pass<boolean> {
  tellingPeers(
    () => group,
    SKIP,
    '',
    () => {
      if (blocking) checkBlocking(group, '', SKIP);
      checkOptionNames(options, ['group'], SKIP);
      checkType(skip, 'boolean', `${SKIP}: skip`);
    },
  );
  if (group.size === 1) return finished(skip);
  const votes = Int32Array.of(skip ? 1 : 0);
  const work = group.allReduce(votes, { op: 'max', label: SKIP });
  return after(meeting(work, votes), ([vote]) => vote === 1);
}
