/**
 * Exact sums: neither moments nor gradients depend on how the batch is split. The ranks meet
 * twice: for the largest magnitude of every sum's terms, then for the sums in whole multiples of
 * the units that follow from it. See merge.ts, and core/exact-sum.ts for the sums.
 */

import { computeDType, type TensorData } from '../../core/dtype.js';
import { valuesOfWords } from '../../core/exact-sum.js';
import { countPerChannel, type Layout } from '../../core/layout.js';
import { isSound } from '../../core/moments.js';
import type { Pass } from '../../group/pass.js';
import type { Work } from '../../group/transport.js';
import type { ExactSums, ExactTerms, GradientSums } from '../../kernels/kernels.js';
import { scratch } from '../memory/scratch.js';
import type { Statistics } from '../memory/statistics.js';
import type { Scope } from '../scope.js';
import type { MeansOfGroup } from './means.js';

/** The exact sums of all ranks, in two meetings. */
class ExactMeeting {
  /** The group's sums: of all channels, then of all channels' products. */
  readonly values: Float64Array;
  count = 0;
  readonly #scope: Scope;
  readonly #layout: Layout;
  readonly #bounds: Float64Array;
  /** Words and count, of this rank and of the group. */
  readonly #sent: Float64Array;
  readonly #received: Float64Array;
  #sums: ExactSums | null = null;

  constructor(layout: Layout, scope: Scope) {
    const length = 2 * layout.channels;
    this.#layout = layout;
    this.#scope = scope;
    this.values = new Float64Array(length);
    this.#bounds = new Float64Array(length);
    this.#sent = new Float64Array(2 * length + 1);
    this.#received = scope.group.size === 1 ? this.#sent : new Float64Array(2 * length + 1);
  }

  /** The first meeting; null: there is nobody to meet. */
  start(terms: ExactTerms): Work<unknown> | null {
    const { kernels, group, label } = this.#scope;
    this.#sums = kernels.exactSums(terms, this.#layout);
    const { bounds } = this.#sums;
    // Not every carrier's largest number is NaN where there is one.
    for (let i = 0; i < bounds.length; i++) {
      this.#bounds[i] = Number.isNaN(bounds[i]) ? Number.POSITIVE_INFINITY : bounds[i];
    }
    if (group.size === 1) return null;
    return group.allReduce(this.#bounds, { op: 'max', label });
  }

  /** The second meeting. */
  next(): Work<unknown> | null {
    const { group, label } = this.#scope;
    this.#sent.set((this.#sums as ExactSums).words(this.#bounds));
    this.#sums = null;
    this.#sent[this.#sent.length - 1] = countPerChannel(this.#layout);
    if (group.size === 1) return null;
    return group.allReduce(this.#sent, { out: this.#received, label });
  }

  finish(): void {
    valuesOfWords(this.values, this.#received, this.#bounds);
    this.count = this.#received[this.#received.length - 1];
  }

  /** This rank's own sums, once the meetings are over. */
  own(): Float64Array {
    if (this.#sent === this.#received) return this.values;
    const own = new Float64Array(this.values.length);
    valuesOfWords(own, this.#sent, this.#bounds);
    return own;
  }
}

/**
 * Tries of {@link ExactMoments}: about 0; about the means that came out, where 0 is too far from
 * them; and in float64, where float32 squares overflow or underflow.
 */
const TRIES = 3;

/** The moments of the group's batch, from sums of x - shift and of its square. */
export class ExactMoments implements Pass<Statistics> {
  readonly result: Statistics;
  readonly #x: TensorData;
  readonly #layout: Layout;
  readonly #meeting: ExactMeeting;
  #shift: Float64Array | null = null;
  #try = 0;
  #stage = 0;

  constructor(statistics: Statistics, x: TensorData, layout: Layout, scope: Scope) {
    this.result = statistics;
    this.#x = x;
    this.#layout = layout;
    this.#meeting = new ExactMeeting(layout, scope);
  }

  step(): Work<unknown> | null {
    while (this.#try < TRIES) {
      const work = this.#next();
      if (work !== null) return work;
    }
    return null;
  }

  #next(): Work<unknown> | null {
    switch (this.#stage++) {
      case 0: {
        const precise = this.#try === TRIES - 1;
        return this.#meeting.start({ x: this.#x, dy: null, shift: this.#shift, precise });
      }
      case 1:
        return this.#meeting.next();
      default:
        this.#meeting.finish();
        this.#stage = 0;
        this.#try = this.#putMoments() ? TRIES : this.#try + 1;
        return null;
    }
  }

  /** Writes the moments; false where they lost digits, which the next try finds a shift for. */
  #putMoments(): boolean {
    const { values, count } = this.#meeting;
    const { mean, m2 } = this.result;
    const { length } = mean;
    const { dtype } = this.#layout;
    this.result.count = count;
    this.result.channelsPerBlock = length;
    let good = true;
    for (let c = 0; c < length; c++) {
      const sum = values[c];
      const squares = values[length + c];
      const delta = count === 0 ? 0 : sum / count;
      const shift = this.#shift === null ? 0 : this.#shift[c];
      mean[c] = shift + delta;
      m2[c] = squares - sum * delta;
      if (!isSound(count, sum, squares, shift, computeDType(dtype))) good = false;
    }
    if (!good) this.#shift = mean.map((m) => (Number.isFinite(m) ? rounded(m, this.#layout) : 0));
    return good;
  }
}

/** The exact gradient sums of all ranks over the group's count. */
export class ExactMeans implements MeansOfGroup {
  readonly means: GradientSums;
  readonly #sums: GradientSums;
  readonly #statistics: Statistics;
  readonly #terms: ExactTerms;
  readonly #meeting: ExactMeeting;
  readonly #ofGroup: boolean;
  #precise = false;
  #met = 0;

  /** @param sums get this rank's own sums, or the group's, as the scope says */
  constructor(
    sums: GradientSums,
    dy: TensorData,
    x: TensorData,
    statistics: Statistics,
    layout: Layout,
    scope: Scope,
  ) {
    const means = scratch(scope.kernels, 'means', 2 * layout.channels);
    this.means = { dy: means.first, dyXhat: means.second };
    this.#sums = sums;
    this.#statistics = statistics;
    this.#ofGroup = scope.groupGradients;
    this.#terms = { x, dy, shift: shiftsOf(statistics, layout), precise: false };
    this.#meeting = new ExactMeeting(layout, scope);
  }

  start(): Work<unknown> | null {
    const { mean } = this.#statistics;
    this.#met = 0;
    return this.#meeting.start(
      this.#precise ? { ...this.#terms, shift: mean, precise: true } : this.#terms,
    );
  }

  finish(): Work<unknown> | null {
    if (this.#met++ === 0) {
      const work = this.#meeting.next();
      if (work !== null) return work;
    }
    this.#meeting.finish();
    const { values } = this.#meeting;
    // Past what float32 holds: once more in float64, on all ranks.
    if (!this.#precise && !allFinite(values)) {
      this.#precise = true;
      return this.start() ?? this.finish();
    }
    this.#put(this.#sums, this.#ofGroup ? values : this.#meeting.own(), 1);
    this.#put(this.means, values, Math.max(this.#statistics.count, 1));
    return null;
  }

  #put(sums: GradientSums, values: Float64Array, divisor: number): void {
    const { mean, invstd } = this.#statistics;
    const shift = this.#precise ? mean : this.#terms.shift;
    const { length } = mean;
    for (let c = 0; c < length; c++) {
      const lost = mean[c] - (shift === null ? 0 : shift[c]);
      sums.dy[c] = values[c] / divisor;
      sums.dyXhat[c] = ((values[length + c] - lost * values[c]) * invstd[c]) / divisor;
    }
  }
}

/** What is subtracted from x in sum(dy * (x - mean)): the mean, unless x is about 0; null: nothing. */
function shiftsOf({ mean, m2, count }: Statistics, layout: Layout): Float64Array | null {
  let shifts: Float64Array | null = null;
  for (let c = 0; c < mean.length; c++) {
    if (mean[c] * mean[c] * count <= 4 * m2[c]) continue;
    shifts ??= new Float64Array(mean.length);
    shifts[c] = rounded(mean[c], layout);
  }
  return shifts;
}

function allFinite(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

function rounded(value: number, { dtype }: Layout): number {
  return dtype === 'float64' ? value : Math.fround(value);
}
