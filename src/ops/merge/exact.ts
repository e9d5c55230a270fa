/**
 * Exact sums over planes, gathered: neither moments nor gradients depend on how the batch is split.
 * See merge.ts, and core/exact-sum.ts for the sums.
 */

import type { FloatArray } from '../../core/dtype.js';
import { PACKED_SUM } from '../../core/exact-sum.js';
import type { Layout } from '../../core/layout.js';
import type { Pass } from '../../group/pass.js';
import type { Work } from '../../group/transport.js';
import type { GradientSums } from '../../kernels/kernels.js';
import { scratch } from '../memory/scratch.js';
import type { Statistics } from '../memory/statistics.js';
import type { Scope } from '../scope.js';
import type { MeansOfGroup } from './means.js';

/** One all-gather of packed sums and of a count. */
class ExactGather {
  readonly #scope: Scope;
  readonly #packed: Float64Array;
  #gathered: Float64Array;

  /** @param length sums that a rank packs */
  constructor(length: number, scope: Scope) {
    this.#scope = scope;
    this.#packed = new Float64Array(length * PACKED_SUM + 1);
    this.#gathered = this.#packed;
  }

  /** @param pack writes this rank's packed sums, and returns its count */
  start(pack: (out: Float64Array) => number): Work<unknown> | null {
    const { group, label } = this.#scope;
    this.#packed[this.#packed.length - 1] = pack(this.#packed);
    if (group.size === 1) return null;
    this.#gathered = new Float64Array(this.#packed.length * group.size);
    return group.allGather(this.#packed, { out: this.#gathered, label });
  }

  /** Writes the sums over the group, and returns its count. */
  finish(values: Float64Array): number {
    const { kernels, group } = this.#scope;
    const stride = this.#packed.length;
    kernels.mergeExact(values, this.#gathered, group.size, stride);
    let count = 0;
    for (let rank = 1; rank <= group.size; rank++) count += this.#gathered[rank * stride - 1];
    return count;
  }
}

/** First the sums of x for the mean, then those of (x - mean)^2 with the group's mean. */
export class ExactMoments implements Pass<Statistics> {
  readonly result: Statistics;
  readonly #x: FloatArray;
  readonly #layout: Layout;
  readonly #scope: Scope;
  readonly #gather: ExactGather;
  #stage = 0;

  constructor(statistics: Statistics, x: FloatArray, layout: Layout, scope: Scope) {
    this.result = statistics;
    this.#x = x;
    this.#layout = layout;
    this.#scope = scope;
    this.#gather = new ExactGather(layout.channels, scope);
  }

  step(): Work<unknown> | null {
    for (;;) {
      const work = this.#next();
      if (work !== null || this.#stage > 2) return work;
    }
  }

  #next(): Work<unknown> | null {
    const { kernels } = this.#scope;
    const { mean, m2 } = this.result;
    switch (this.#stage++) {
      case 0:
        return this.#gather.start((out) => kernels.exactSums(out, this.#x, this.#layout));
      case 1: {
        const count = this.#gather.finish(mean);
        this.result.count = count;
        for (let c = 0; c < mean.length; c++) mean[c] = count === 0 ? 0 : mean[c] / count;
        return this.#gather.start((out) => {
          kernels.exactSquares(out, this.#x, mean, this.#layout);
          return 0;
        });
      }
      default:
        this.#gather.finish(m2);
        this.result.channelsPerBlock = mean.length;
        return null;
    }
  }
}

/** The exact gradient sums of all ranks over the group's count. */
export class ExactMeans implements MeansOfGroup {
  readonly means: GradientSums;
  readonly #values: Float64Array;
  readonly #pack: (out: Float64Array) => number;
  readonly #statistics: Statistics;
  readonly #gather: ExactGather;

  constructor(dy: FloatArray, x: FloatArray, statistics: Statistics, layout: Layout, scope: Scope) {
    const { kernels } = scope;
    const means = scratch(kernels, 'means', 2 * layout.channels);
    this.means = { dy: means.first, dyXhat: means.second };
    this.#values = means.all;
    this.#statistics = statistics;
    this.#pack = (out) => {
      kernels.exactGradientSums(out, dy, x, statistics.mean, layout);
      return 0;
    };
    this.#gather = new ExactGather(2 * layout.channels, scope);
  }

  start(): Work<unknown> | null {
    return this.#gather.start(this.#pack);
  }

  finish(): void {
    const { invstd, count } = this.#statistics;
    const { dy, dyXhat } = this.means;
    this.#gather.finish(this.#values);
    const divisor = Math.max(count, 1);
    for (let c = 0; c < invstd.length; c++) {
      dy[c] /= divisor;
      dyXhat[c] = (dyXhat[c] * invstd[c]) / divisor;
    }
  }
}
