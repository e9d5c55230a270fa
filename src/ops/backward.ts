/**
 * The backward pass over a group: gradient sums, summed over all ranks, then the input gradient,
 * block by block of channels.
 *
 *     dx = weight * invstd * (dy - sum(dy)/n - xhat * sum(dy * xhat)/n)
 *
 * with both sums and n over the group; without the two sums for given statistics, which send
 * nothing.
 */

import type { TensorData } from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import type { Pass } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Work } from '../group/transport.js';
import type { ChannelRange, GradientSums, Normalization } from '../kernels/kernels.js';
import { runApart } from './extremes.js';
import type { Kernels } from './kernels.js';
import { blocksOf, kernelsOver, Near } from './memory/near.js';
import { scratch } from './memory/scratch.js';
import type { Statistics } from './memory/statistics.js';
import { exactMerging } from './merge/exact-merging.js';
import type { MeansOfGroup } from './merge/means.js';
import { ReducedMeans } from './merge/reduced.js';
import type { Scope } from './scope.js';

export type { GradientSums } from '../kernels/kernels.js';

/** Left by the forward pass for the backward pass, besides x. */
export interface Saved {
  readonly statistics: Statistics;
  readonly layout: Layout;
  /** Ranks whose batch the statistics are of; null for given statistics. */
  readonly group: ProcessGroup | null;
  /** Writes dy of a block of channels before it is read; default: dy is given. */
  readonly gate?: (kernels: Kernels, block: ChannelRange) => void;
}

/**
 * Writes the input gradient. Its result are the LOCAL sums of dy and dy * xhat, the gradients of
 * bias and weight, valid until the next pass. `dx` may be `dy`.
 */
export class BackwardPass implements Pass<GradientSums> {
  readonly result: GradientSums;
  readonly #dx: Near;
  readonly #dy: Near;
  readonly #x: Near;
  readonly #layout: Layout;
  readonly #step: number;
  readonly #by: Normalization;
  readonly #scope: Scope;
  readonly #extremes: readonly number[] | null;
  readonly #group: MeansOfGroup | null;
  readonly #gate: Saved['gate'];
  #block: ChannelRange = { from: 0, to: 0 };

  constructor(dx: TensorData, dy: TensorData, x: TensorData, saved: Saved, scope: Scope) {
    const { statistics, layout, group, gate } = saved;
    const { mean, invstd, weight, count, channelsPerBlock } = statistics;
    const sums = scratch(scope.kernels, 'sums', 2 * layout.channels);
    this.result = { dy: sums.first, dyXhat: sums.second };
    const kernels = scope.reproducible
      ? scope.kernels
      : kernelsOver(scope.kernels, layout, x, dy, dx);
    this.#x = new Near(kernels, 'x', x, layout);
    this.#dy = new Near(kernels, 'dy', dy, layout);
    // Takes the place of dy's copy, if there is one.
    this.#dx = new Near(kernels, 'dy', dx, layout);
    this.#layout = layout;
    this.#gate = gate;
    this.#by = { mean, invstd, weight, bias: null };
    this.#scope = scope;
    this.#extremes = statistics.extremes;
    this.#step = group === null ? layout.channels : channelsPerBlock;
    if (group === null) this.#group = null;
    else if (scope.reproducible) {
      const { ExactMeans } = exactMerging();
      this.#group = new ExactMeans(
        sums.all,
        this.#dy.data,
        this.#x.data,
        statistics,
        layout,
        scope,
      );
    } else this.#group = new ReducedMeans(sums.all, count, scope);
  }

  step(): Work<unknown> | null {
    const { channels } = this.#layout;
    for (;;) {
      if (this.#block.to > 0) {
        const more = this.#group === null ? null : this.#group.finish(this.#block);
        if (more !== null) return more;
        this.#finishBlock();
      }
      const from = this.#block.to;
      if (from === channels) return null;
      this.#block = { from, to: Math.min(channels, from + this.#step) };
      const work = this.#startBlock();
      if (work !== null) return work;
    }
  }

  #startBlock(): Work<unknown> | null {
    this.#gate?.(this.#scope.kernels, this.#block);
    // Exact sums include this rank's own.
    const needsSums = this.#group === null || !this.#scope.reproducible;
    for (const block of this.#blocks(this.#dy)) {
      this.#x.bring(block);
      this.#dy.bring(block);
      if (!needsSums) continue;
      if (this.#extremes === null) this.#sum(this.#x.kernels, block);
      else this.#runApart(block, (kernels, range) => this.#sum(kernels, range));
    }
    return this.#group === null ? null : this.#group.start(this.#block);
  }

  #finishBlock(): void {
    // The latest first: it is still in the cache.
    for (const block of this.#blocks(this.#dx).reverse()) {
      if (this.#extremes === null) this.#map(this.#x.kernels, block);
      else this.#runApart(block, (kernels, range) => this.#map(kernels, range));
      this.#dx.deliver(block);
    }
  }

  #sum(kernels: Kernels, range: ChannelRange): void {
    kernels.gradientSums(this.result, this.#dy.data, this.#x.data, this.#by, this.#layout, range);
  }

  #map(kernels: Kernels, range: ChannelRange): void {
    const means = this.#group === null ? null : this.#group.means;
    const { data: dy } = this.#dy;
    const { data: x } = this.#x;
    kernels.inputGradient(this.#dx.data, dy, x, this.#by, means, this.#layout, range);
  }

  /** Parts of the block that are copied at a time. */
  #blocks(tensor: Near): ChannelRange[] {
    return blocksOf(this.#layout, this.#block, this.#x, tensor);
  }

  #runApart(block: ChannelRange, stage: (kernels: Kernels, range: ChannelRange) => void): void {
    runApart(this.#extremes ?? [], block, this.#x.kernels, stage);
  }
}
