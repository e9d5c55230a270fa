/**
 * The statistics of a forward pass, block by block: this rank's moments, merged over the group,
 * and what normalises with them. All per-channel work is the kernels', in their memory.
 */

import type { FloatArray } from '../core/dtype.js';
import { type Layout, valuesPerChannel } from '../core/layout.js';
import { packedLength } from '../core/moments.js';
import type { ChannelRange, Kernels, Normalization } from '../kernels/kernels.js';
import { VOTES, vote } from './blocks.js';
import { GATHER_RANKS, reduceMoments, smallestVotes } from './exchange.js';
import type { Affine, Scope } from './scope.js';
import { type Workspace, wireArray, workspace } from './workspace.js';

export class GroupMoments {
  readonly work: Workspace;
  /** What normalises the blocks that are merged. */
  readonly by: Normalization;
  /** Values per channel: of this rank, and after the first merge of the group. */
  count: number;
  readonly #own: number;
  readonly #kernels: Kernels;
  readonly #layout: Layout;
  readonly #eps: number;
  readonly #scope: Scope;
  readonly #dtype: 'float32' | 'float64';

  constructor(kernels: Kernels, x: FloatArray, layout: Layout, affine: Affine, scope: Scope) {
    const { weight, bias, eps } = affine;
    const work = workspace(kernels, layout.channels);
    this.work = work;
    this.by = { mean: work.mean, invstd: work.invstd, weight, bias };
    this.#own = valuesPerChannel(layout);
    this.count = this.#own;
    this.#kernels = kernels;
    this.#layout = layout;
    this.#eps = eps;
    this.#scope = scope;
    this.#dtype = x instanceof Float64Array ? 'float64' : 'float32';
  }

  /** Alone a rank takes its own blocks; with others those that all have agreed on. */
  channelsPerBlock(): number {
    const { group, plan } = this.#scope;
    if (group.size > 1) return plan.forward;
    return this.#kernels.channelsPerBlock(this.#layout, this.#dtype, 'forward');
  }

  /** Merges a block's moments over the group, and makes what normalises it. */
  merge(block: ChannelRange, first: boolean): void {
    if (this.#scope.group.size > 1) this.#exchange(block, first);
    const { m2, invstd } = this.work;
    this.#kernels.inverseDeviations(invstd, m2, Math.max(this.count, 1), this.#eps, block);
  }

  #exchange(block: ChannelRange, first: boolean): void {
    const { group, label, plan } = this.#scope;
    const packed = this.#pack(block, first);
    if (group.size > GATHER_RANKS) {
      const merged = reduceMoments(group, packed, block.to - block.from, label).wait();
      this.count = merged.count;
      this.work.mean.set(merged.mean, block.from);
      this.work.m2.set(merged.m2, block.from);
      if (first) plan.agree(merged.votes);
      return;
    }
    const { length } = packed;
    const out = wireArray(this.#kernels, 'received', length * group.size);
    group.allGather(packed, { out, label }).wait();
    const { mean, m2 } = this.work;
    this.count = this.#kernels.mergeMoments(mean, m2, out, group.size, length, block);
    if (first) plan.agree(smallestVotes(out, VOTES, group.size));
  }

  /** This rank's moments of a block for the wire, and with the first block its votes. */
  #pack(block: ChannelRange, first: boolean): Float64Array {
    const { from, to } = block;
    const { mean, m2, moments } = this.work;
    const length = packedLength(to - from);
    const packed = wireArray(this.#kernels, 'sent', length + (first ? VOTES : 0));
    packed[0] = this.#own;
    if (to - from === mean.length) {
      packed.set(moments, 1);
    } else {
      packed.set(mean.subarray(from, to), 1);
      packed.set(m2.subarray(from, to), 1 + to - from);
    }
    if (first) vote(packed, length, this.#scope.group.mostBlocks, this.#layout, this.#dtype);
    return packed;
  }
}
