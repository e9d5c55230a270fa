/** Operations on per-channel numbers between the stages; all float64. See kernels.ts. */

/** Merges moments of `share` of all values into mean and m2: see core/moments.ts. */
function mergeInto(
  mean: usize,
  m2: usize,
  otherMean: usize,
  otherM2: usize,
  channels: usize,
  share: f64,
  weight: f64,
): void {
  const end = mean + channels * 8;
  const pairs = mean + (channels & ~1) * 8;
  const shares = f64x2.splat(share);
  const weights = f64x2.splat(weight);
  while (mean < pairs) {
    const a = v128.load(mean);
    const delta = f64x2.sub(v128.load(otherMean), a);
    v128.store(mean, f64x2.add(a, f64x2.mul(delta, shares)));
    const squares = f64x2.mul(f64x2.mul(delta, delta), weights);
    v128.store(m2, f64x2.add(v128.load(m2), f64x2.add(v128.load(otherM2), squares)));
    mean += 16;
    m2 += 16;
    otherMean += 16;
    otherM2 += 16;
  }
  if (mean < end) {
    const a = load<f64>(mean);
    const delta = load<f64>(otherMean) - a;
    store<f64>(mean, a + delta * share);
    store<f64>(m2, load<f64>(m2) + (load<f64>(otherM2) + delta * delta * weight));
  }
}

/**
 * Writes the merged moments of `ranks` ranks, in rank order, and returns their count.
 * `gathered`: count, means and M2 of `channels` channels for each rank, `stride` bytes apart.
 */
export function mergeMoments(
  mean: usize,
  m2: usize,
  gathered: usize,
  ranks: usize,
  stride: usize,
  channels: usize,
): f64 {
  const bytes = channels * 8;
  let count: f64 = 0;
  for (let rank: usize = 0; rank < ranks; rank++) {
    const from = gathered + rank * stride;
    const own = load<f64>(from);
    if (own === 0) continue;
    if (count === 0) {
      // Copied, not computed: delta^2 * 0 would be NaN if a mean's square overflows.
      memory.copy(mean, from + 8, bytes);
      memory.copy(m2, from + 8 + bytes, bytes);
      count = own;
    } else {
      const total = count + own;
      const share = own / total;
      mergeInto(mean, m2, from + 8, from + 8 + bytes, channels, share, count * share);
      count = total;
    }
  }
  if (count === 0) {
    memory.fill(mean, 0, bytes);
    memory.fill(m2, 0, bytes);
  }
  return count;
}

/**
 * Writes 1 / sqrt(m2 / count + eps), with a count above 0. Returns true if all of them lie between
 * 1 / most and most; NaN does not.
 */
export function inverseDeviations(
  invstd: usize,
  m2: usize,
  channels: usize,
  count: f64,
  eps: f64,
  most: f64,
): bool {
  const pairs = invstd + (channels & ~1) * 8;
  const counts = f64x2.splat(count);
  const added = f64x2.splat(eps);
  const one = f64x2.splat(1);
  const largest = f64x2.splat(most);
  const smallest = f64x2.splat(1 / most);
  let usual = i8x16.splat(-1);
  for (; invstd < pairs; invstd += 16, m2 += 16) {
    const variance = f64x2.div(v128.load(m2), counts);
    const inverse = f64x2.div(one, f64x2.sqrt(f64x2.add(variance, added)));
    v128.store(invstd, inverse);
    const isUsual = v128.and(f64x2.ge(inverse, smallest), f64x2.le(inverse, largest));
    usual = v128.and(usual, isUsual);
  }
  const areUsual = i64x2.all_true(usual);
  if ((channels & 1) === 0) return areUsual;
  const inverse = 1 / sqrt(load<f64>(m2) / count + eps);
  store<f64>(invstd, inverse);
  return areUsual && inverse >= 1 / most && inverse <= most;
}

/** Divides `length` numbers by `divisor`; one past an odd `length` is written, too. */
export function divide(quotients: usize, values: usize, length: usize, divisor: f64): void {
  const end = values + length * 8;
  const divisors = f64x2.splat(divisor);
  for (; values < end; values += 16, quotients += 16) {
    v128.store(quotients, f64x2.div(v128.load(values), divisors));
  }
}

/** Moves two channels of running statistics; see moveRunning. */
function move(running: usize, batch: v128, share: v128, rest: v128): void {
  const old = f64x2.promote_low_f32x4(v128.load_zero<f64>(running));
  const moved = f64x2.add(f64x2.mul(rest, old), f64x2.mul(share, batch));
  v128.store_lane<f64>(running, f32x4.demote_f64x2_zero(moved), 0);
}

/**
 * Moves the running statistics of float32 by `share` towards those of a batch: running = (1 -
 * share) * running + share * batch, in float64, rounded once; the batch's variance is m2 / divisor.
 * Two channels at a time: one number past the running ones may change, and one past the batch's is
 * read.
 */
export function moveRunning(
  mean: usize,
  variance: usize,
  batchMean: usize,
  m2: usize,
  channels: usize,
  divisor: f64,
  share: f64,
): void {
  const end = mean + channels * 4;
  const shares = f64x2.splat(share);
  const rests = f64x2.splat(1 - share);
  const divisors = f64x2.splat(divisor);
  while (mean < end) {
    move(mean, v128.load(batchMean), shares, rests);
    move(variance, f64x2.div(v128.load(m2), divisors), shares, rests);
    mean += 8;
    variance += 8;
    batchMean += 16;
    m2 += 16;
  }
}
