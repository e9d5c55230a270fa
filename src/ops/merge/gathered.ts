/** Moments merged after one all-gather, in rank order; see merge.ts. */

import type { Pass } from '../../group/pass.js';
import type { Work } from '../../group/transport.js';
import { scratch } from '../memory/scratch.js';
import type { Statistics } from '../memory/statistics.js';
import type { Scope } from '../scope.js';

export class GatheredMoments implements Pass<Statistics> {
  readonly result: Statistics;
  readonly #scope: Scope;
  #gathered: Float64Array | null = null;

  constructor(statistics: Statistics, scope: Scope) {
    this.result = statistics;
    this.#scope = scope;
  }

  step(): Work<unknown> | null {
    const { kernels, group, label } = this.#scope;
    const { packed, mean, m2 } = this.result;
    const { length } = packed;
    if (this.#gathered === null) {
      const out = scratch(kernels, 'received', length * group.size).all;
      this.#gathered = out;
      return group.allGather(packed, { out, label });
    }
    this.result.count = kernels.mergeMoments(mean, m2, this.#gathered, group.size, length);
    this.result.channelsPerBlock = smallestVote(this.#gathered, group.size);
    return null;
  }
}

/** Finds the smallest of the ranks' votes: the final number of each of `ranks` ranks. */
function smallestVote(gathered: Float64Array, ranks: number): number {
  const length = gathered.length / ranks;
  let smallest = Number.POSITIVE_INFINITY;
  for (let end = length; end <= gathered.length; end += length) {
    smallest = Math.min(smallest, gathered[end - 1]);
  }
  return smallest;
}
