/**
 * Moments and sums by all-reduces; see merge.ts.
 *
 *     n    = sum of n_r,  mean = sum of n_r mean_r / n
 *     M2   = sum of (M2_r + n_r (mean_r - mean)^2)
 */

import { packedLength } from '../../core/moments.js';
import type { Pass } from '../../group/pass.js';
import type { Work } from '../../group/transport.js';
import type { ChannelRange, GradientSums } from '../../kernels/kernels.js';
import { scratch } from '../memory/scratch.js';
import type { Statistics } from '../memory/statistics.js';
import type { Scope } from '../scope.js';
import type { MeansOfGroup } from './means.js';

export class ReducedMoments implements Pass<Statistics> {
  readonly result: Statistics;
  readonly #scope: Scope;
  readonly #sums: Float64Array;
  readonly #votes: Float64Array;
  #stage = 0;

  constructor(statistics: Statistics, scope: Scope) {
    const { mean, count, packed } = statistics;
    const channels = mean.length;
    this.result = statistics;
    this.#scope = scope;
    this.#votes = packed.slice(packedLength(channels));
    this.#sums = new Float64Array(1 + channels);
    this.#sums[0] = count;
    for (let c = 0; c < channels; c++) this.#sums[1 + c] = count === 0 ? 0 : count * mean[c];
  }

  step(): Work<unknown> | null {
    const { group, label } = this.#scope;
    switch (this.#stage++) {
      case 0:
        return group.allReduce(this.#sums, { label });
      case 1:
        this.#takeMeans();
        return group.allReduce(this.result.m2, { label });
      case 2:
        return group.allReduce(this.#votes, { op: 'min', label });
      default:
        this.result.channelsPerBlock = this.#votes[0];
        return null;
    }
  }

  /** Takes the group's count and means, and moves M2 to them. */
  #takeMeans(): void {
    const { mean, m2, count: own } = this.result;
    const count = this.#sums[0];
    for (let c = 0; c < mean.length; c++) {
      const total = count === 0 ? 0 : this.#sums[1 + c] / count;
      m2[c] = own === 0 ? 0 : m2[c] + own * (mean[c] - total) ** 2;
      mean[c] = total;
    }
    this.result.count = count;
  }
}

/** The gradient sums of all ranks over the group's count, block by block. */
export class ReducedMeans implements MeansOfGroup {
  readonly means: GradientSums;
  readonly #sums: Float64Array;
  readonly #all: Float64Array;
  readonly #count: number;
  readonly #scope: Scope;
  /** Received sums of the block that is under way. */
  #received: Float64Array;

  /** @param sums of dy and of dy * xhat on this rank, concatenated */
  constructor(sums: Float64Array, count: number, scope: Scope) {
    const means = scratch(scope.kernels, 'means', sums.length);
    this.means = { dy: means.first, dyXhat: means.second };
    this.#all = means.all;
    this.#received = means.all;
    this.#sums = sums;
    // An empty group has no element that would read its means; 1 keeps NaN out of them.
    this.#count = Math.max(count, 1);
    this.#scope = scope;
  }

  start({ from, to }: ChannelRange): Work<unknown> | null {
    const { kernels, group, label } = this.#scope;
    if (group.size === 1) return null;
    const channels = this.#sums.length / 2;
    const length = to - from;
    let sent = this.#sums;
    if (length !== channels) {
      // The two kinds of sums of some channels lie apart: concatenated for the wire.
      sent = scratch(kernels, 'sent', 2 * length).all;
      sent.set(this.#sums.subarray(from, to));
      sent.set(this.#sums.subarray(channels + from, channels + to), length);
      this.#received = scratch(kernels, 'received', 2 * length).all;
    }
    return group.allReduce(sent, { out: this.#received, label });
  }

  finish(block: ChannelRange): null {
    const { kernels, group } = this.#scope;
    const channels = this.#sums.length / 2;
    const length = block.to - block.from;
    if (group.size === 1 && length < channels) {
      this.#divideOwn(block);
    } else if (group.size === 1) {
      kernels.divide(this.#all, this.#sums, this.#count);
    } else {
      const received = this.#received;
      kernels.divide(received, received, this.#count);
      if (received === this.#all) return null;
      this.means.dy.set(received.subarray(0, length), block.from);
      this.means.dyXhat.set(received.subarray(length), block.from);
    }
    return null;
  }

  /** Divides the sums of some channels: views of them would take longer than a loop. */
  #divideOwn({ from, to }: ChannelRange): void {
    const { dy, dyXhat } = this.means;
    const sums = this.#sums;
    for (let c = from, at = sums.length / 2 + from; c < to; c++, at++) {
      dy[c] = sums[c] / this.#count;
      dyXhat[c] = sums[at] / this.#count;
    }
  }
}
