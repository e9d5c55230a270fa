/**
 * Channel moments: count, mean and M2 (the sum of squared differences from the mean).
 *
 * They form a monoid: the identity is a count of 0, `combine` merges two disjoint sets of values
 * (Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
 * Variances", 1979). Merged in a fixed rank order the result is bitwise the same on every rank.
 *
 * Packed for the wire: [count, mean of each channel, M2 of each channel], all float64. The count
 * is shared by all channels, since a rank holds as many values of one channel as of another.
 */

/** Length of packed moments of `channels` channels. */
export function packedLength(channels: number): number {
  return 1 + 2 * channels;
}

/** Moments of all channels over one set of values. */
export interface Moments {
  /** Values per channel. */
  count: number;
  readonly mean: Float64Array;
  /** Sum of squared differences from the mean, per channel. */
  readonly m2: Float64Array;
}

/** Views `packed` as moments. */
export function viewPacked(packed: Float64Array, channels: number): Moments {
  return {
    count: packed[0],
    mean: packed.subarray(1, 1 + channels),
    m2: packed.subarray(1 + channels, 1 + 2 * channels),
  };
}

/** The identity of the merge: no values at all. */
export function emptyMoments(channels: number): Moments {
  return { count: 0, mean: new Float64Array(channels), m2: new Float64Array(channels) };
}

/**
 * Merges `other` into `into`, in place.
 *
 *     delta = mean_b - mean_a
 *     mean  = mean_a + delta * n_b / n
 *     M2    = M2_a + M2_b + delta^2 * n_a * n_b / n
 */
export function combine(into: Moments, other: Moments): void {
  if (other.count === 0) return;
  if (into.count === 0) {
    // Copied, not computed: delta^2 * 0 would be NaN if a mean's square overflows.
    into.count = other.count;
    into.mean.set(other.mean);
    into.m2.set(other.m2);
    return;
  }
  const count = into.count + other.count;
  const share = other.count / count;
  const weight = into.count * share;
  for (let c = 0; c < into.mean.length; c++) {
    const delta = other.mean[c] - into.mean[c];
    into.mean[c] += delta * share;
    into.m2[c] += other.m2[c] + delta * delta * weight;
  }
  into.count = count;
}

/**
 * Merges packed moments of several ranks, in rank order.
 * @param stride numbers from one rank's moments to the next, at least {@link packedLength}
 */
export function mergeRanks(
  gathered: Float64Array,
  stride: number,
  ranks: number,
  channels: number,
): Moments {
  const merged = emptyMoments(channels);
  for (let rank = 0; rank < ranks; rank++) {
    combine(merged, viewPacked(gathered.subarray(rank * stride, (rank + 1) * stride), channels));
  }
  return merged;
}

/** Greatest d^2, and least variance of float32 and float64 squares, as in assembly/channel.ts. */
const MOST_DISTANCE = 1.5625;
const LEAST_VARIANCE = { float32: 1e-30, float64: 1e-290 };
/** Two float32 numbers of this size differ by 6e-23 or more, whose square is a number. */
const TINY = 1e-15;

/**
 * True if sums of `count` differences from a shift, and of their squares, give M2 to full
 * precision. They do not if the shift is more than 1.25 standard deviations from the mean, or if
 * squares overflow or underflow. Both sums are 0 if all values equal the shift, or are so near a
 * tiny shift that their squares underflow.
 */
export function isSound(
  count: number,
  sum: number,
  squares: number,
  shift: number,
  dtype: keyof typeof LEAST_VARIANCE,
): boolean {
  const spread = squares * count - sum * sum;
  const least = LEAST_VARIANCE[dtype] * count * count;
  if (spread < Number.POSITIVE_INFINITY && sum * sum <= MOST_DISTANCE * spread && spread >= least) {
    return true;
  }
  return squares === 0 && sum === 0 && (shift === 0 || Math.abs(shift) >= TINY);
}
