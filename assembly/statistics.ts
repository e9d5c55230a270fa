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

/** Writes 1 / sqrt(m2 / count + eps), with a count above 0. */
export function inverseDeviations(
  invstd: usize,
  m2: usize,
  channels: usize,
  count: f64,
  eps: f64,
): void {
  const end = invstd + channels * 8;
  const pairs = invstd + (channels & ~1) * 8;
  const counts = f64x2.splat(count);
  const added = f64x2.splat(eps);
  const one = f64x2.splat(1);
  while (invstd < pairs) {
    const variance = f64x2.div(v128.load(m2), counts);
    v128.store(invstd, f64x2.div(one, f64x2.sqrt(f64x2.add(variance, added))));
    invstd += 16;
    m2 += 16;
  }
  if (invstd < end) store<f64>(invstd, 1 / sqrt(load<f64>(m2) / count + eps));
}

/** Divides `length` numbers by `divisor`, in place; one past an odd `length` changes, too. */
export function divide(values: usize, length: usize, divisor: f64): void {
  const end = values + length * 8;
  const divisors = f64x2.splat(divisor);
  for (; values < end; values += 16) {
    v128.store(values, f64x2.div(v128.load(values), divisors));
  }
}

/**
 * Moves the running statistics of float32 by `share` towards those of a batch: running = (1 -
 * share) * running + share * (batch / divisor), in float64, rounded once. Two channels at a time:
 * one number past `running` may change, and one past `batch` is read.
 */
export function moveRunning(
  running: usize,
  batch: usize,
  channels: usize,
  divisor: f64,
  share: f64,
): void {
  const end = running + channels * 4;
  const keeps = f64x2.splat(1 - share);
  const shares = f64x2.splat(share);
  const divisors = f64x2.splat(divisor);
  for (; running < end; running += 8) {
    const added = f64x2.mul(shares, f64x2.div(v128.load(batch), divisors));
    const old = f64x2.promote_low_f32x4(v128.load_zero<f64>(running));
    const moved = f64x2.add(f64x2.mul(keeps, old), added);
    v128.store_lane<f64>(running, f32x4.demote_f64x2_zero(moved), 0);
    batch += 16;
  }
}
