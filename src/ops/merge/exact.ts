/**
 * Exact sums: neither moments nor gradients depend on how the batch is split. The ranks meet
 * twice: for the largest magnitude of every sum's terms, then for the sums in whole multiples of
 * the units that follow from it. See merge.ts, and core/exact-sum.ts for the sums.
 */

import { computeDType, type TensorData } from '../../core/dtype.js';
import { countPerChannel, type Layout } from '../../core/layout.js';
import { isSound } from '../../core/moments.js';
import type { Pass } from '../../group/pass.js';
import type { Work } from '../../group/transport.js';
import { isValues } from '../../kernels/atoms.js';
import type { ExactSums, ExactTerms, GradientSums } from '../../kernels/kernels.js';
import { scratch } from '../memory/scratch.js';
import type { Statistics } from '../memory/statistics.js';
import type { Scope } from '../scope.js';
import type { MeansOfGroup } from './means.js';

/** The exact sums of all ranks, in two meetings. */
class ExactMeeting {
  count = 0;
  readonly #scope: Scope;
  readonly #layout: Layout;
  #sums: ExactSums | null = null;
  /** Words and count, of this rank and of the group. */
  #sent: Float64Array | null = null;
  #received: Float64Array | null = null;

  constructor(layout: Layout, scope: Scope) {
    this.#layout = layout;
    this.#scope = scope;
  }

  /** Starts the first meeting; null: there is nobody to meet. */
  start(terms: ExactTerms): Work<unknown> | null {
    const { kernels, group, label } = this.#scope;
    // Taken before the ranks meet: it may fail.
    const length = 4 * this.#layout.channels + 1;
    this.#received = group.size === 1 ? null : scratch(kernels, 'received', length).all;
    this.#sums = kernels.exactSums(terms, this.#layout);
    if (group.size === 1) return null;
    return group.allReduce(this.#sums.bounds, { op: 'max', label });
  }

  /** Starts the second meeting. */
  next(): Work<unknown> | null {
    const { group, label } = this.#scope;
    const { words, bounds } = this.#sums as ExactSums;
    const sent = words(bounds);
    sent[sent.length - 1] = countPerChannel(this.#layout);
    this.#sent = sent;
    if (group.size === 1) {
      this.#received = sent;
      return null;
    }
    return group.allReduce(sent, { out: this.#received as Float64Array, label });
  }

  /** Writes the group's sums: of all channels, then of all channels' products. */
  finish(values: Float64Array): void {
    const { bounds, values: put } = this.#sums as ExactSums;
    const received = this.#received as Float64Array;
    put(values, received, bounds);
    this.count = received[received.length - 1];
  }

  /** Writes this rank's own sums, once the meetings are over. */
  own(values: Float64Array): void {
    const { bounds, values: put } = this.#sums as ExactSums;
    put(values, this.#sent as Float64Array, bounds);
  }
}

/**
 * Tries of {@link ExactMoments}: about 0; about the resulting means, if 0 is too far from them; and
 * in float64, if float32 squares overflow or underflow.
 */
const TRIES = 3;

/** The moments of the group's batch, from sums of x - shift and of its square. */
export class ExactMoments implements Pass<Statistics> {
  readonly result: Statistics;
  readonly #x: TensorData;
  readonly #layout: Layout;
  readonly #scope: Scope;
  readonly #meeting: ExactMeeting;
  #shift: Float64Array | null = null;
  #try = 0;
  #stage = 0;

  constructor(statistics: Statistics, x: TensorData, layout: Layout, scope: Scope) {
    this.result = statistics;
    this.#x = x;
    this.#layout = layout;
    this.#scope = scope;
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
        this.#stage = 0;
        this.#try = this.#putMoments() ? TRIES : this.#try + 1;
        return null;
    }
  }

  /** Writes the moments; false if they lost digits, for which the next try finds a shift. */
  #putMoments(): boolean {
    const { mean, m2 } = this.result;
    const { length } = mean;
    const values = scratch(this.#scope.kernels, 'means', 2 * length).all;
    this.#meeting.finish(values);
    const { count } = this.#meeting;
    const dtype = computeDType(this.#layout.dtype);
    this.result.count = count;
    this.result.channelsPerBlock = length;
    const shifts = this.#shift;
    let good = true;
    for (let c = 0; c < length; c++) {
      const sum = values[c];
      const squares = values[length + c];
      const delta = count === 0 ? 0 : sum / count;
      const shift = shifts === null ? 0 : shifts[c];
      mean[c] = shift + delta;
      m2[c] = squares - sum * delta;
      good &&= isSound(count, sum, squares, shift, dtype);
    }
    if (!good) this.#shift = shiftsFrom(mean, this.#layout);
    return good;
  }
}

/** Shifts at the means that are numbers. */
function shiftsFrom(mean: Float64Array, layout: Layout): Float64Array {
  return Float64Array.from(mean, (m) => (Number.isFinite(m) ? rounded(m, layout) : 0));
}

/** The exact gradient sums of all ranks over the group's count. */
export class ExactMeans implements MeansOfGroup {
  readonly means: GradientSums;
  readonly #sums: Float64Array;
  readonly #means: Float64Array;
  readonly #statistics: Statistics;
  readonly #terms: ExactTerms;
  readonly #meeting: ExactMeeting;
  readonly #ofGroup: boolean;
  #precise = false;
  #met = 0;

  /**
   * @param sums of dy, then of dy * xhat: get this rank's own sums, or the group's, as the scope
   *   says
   */
  constructor(
    sums: Float64Array,
    dy: TensorData,
    x: TensorData,
    statistics: Statistics,
    layout: Layout,
    scope: Scope,
  ) {
    const means = scratch(scope.kernels, 'means', 2 * layout.channels);
    this.means = { dy: means.first, dyXhat: means.second };
    this.#means = means.all;
    this.#sums = sums;
    this.#statistics = statistics;
    this.#ofGroup = scope.groupGradients;
    const shift = shiftsOf(statistics, layout);
    const reach = isValues(layout) && !layout.mask ? reachOf(statistics, shift, scope) : null;
    this.#terms = { x, dy, shift, reach, precise: false };
    this.#meeting = new ExactMeeting(layout, scope);
  }

  start(): Work<unknown> | null {
    const { mean } = this.#statistics;
    this.#met = 0;
    return this.#meeting.start(
      this.#precise ? { ...this.#terms, shift: mean, reach: null, precise: true } : this.#terms,
    );
  }

  finish(): Work<unknown> | null {
    if (this.#met++ === 0) {
      const work = this.#meeting.next();
      if (work !== null) return work;
    }
    this.#meeting.finish(this.#means);
    // Beyond float32's range: once more in float64, on all ranks.
    if (!this.#precise && !allFinite(this.#means)) {
      this.#precise = true;
      return this.start() ?? this.finish();
    }
    if (!this.#ofGroup) this.#meeting.own(this.#sums);
    this.#toXhat();
    return null;
  }

  /** Turns sums of dy * (x - shift) into those of dy * xhat, and the group's into means. */
  #toXhat(): void {
    const { mean, invstd, count } = this.#statistics;
    const [sums, means, ofGroup] = [this.#sums, this.#means, this.#ofGroup];
    const shift = this.#precise ? mean : this.#terms.shift;
    const divisor = Math.max(count, 1);
    const { length } = mean;
    for (let c = 0; c < length; c++) {
      const lost = mean[c] - (shift === null ? 0 : shift[c]);
      const sum = means[c];
      const product = (means[length + c] - lost * sum) * invstd[c];
      means[c] = sum / divisor;
      means[length + c] = product / divisor;
      sums[length + c] = ofGroup ? product : (sums[length + c] - lost * sums[c]) * invstd[c];
      if (ofGroup) sums[c] = sum;
    }
  }
}

/** Shift of x in sum(dy * (x - mean)): the mean, unless x is about 0; null: no shift. */
function shiftsOf({ mean, m2, count }: Statistics, layout: Layout): Float64Array | null {
  let shifts: Float64Array | null = null;
  for (let c = 0; c < mean.length; c++) {
    if (mean[c] * mean[c] * count <= 4 * m2[c]) continue;
    shifts ??= new Float64Array(mean.length);
    shifts[c] = rounded(mean[c], layout);
  }
  return shifts;
}

/** Bound on the differences from the shift: the squares of all differences add up to its square. */
function reachOf(
  { mean, m2, count }: Statistics,
  shift: Float64Array | null,
  { kernels }: Scope,
): Float64Array {
  const reach = scratch(kernels, 'sent', mean.length).all;
  for (let c = 0; c < reach.length; c++) {
    const lost = mean[c] - (shift === null ? 0 : shift[c]);
    reach[c] = Math.sqrt(m2[c] + count * lost * lost);
  }
  return reach;
}

function allFinite(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

function rounded(value: number, { dtype }: Layout): number {
  return dtype === 'float64' ? value : Math.fround(value);
}
