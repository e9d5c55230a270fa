/**
 * Averages of gradients: weighted sums over the members' slots, element by element, in the members'
 * order, carried in float64 and rounded once, so that every rank gets the same bits.
 *
 *     out[i] = (weights[0] * slot 0[i] + weights[1] * slot 1[i] + ...) * factor
 *
 * `out` and `first` are aligned to 16 bytes, slots are `stride` bytes apart, `weights` are `members`
 * float64. A member of weight 0 is not read: its numbers may be NaN. Blocks of 64 bytes are read
 * and written: up to 63 bytes past the end change. `out` may be a slot.
 */

/** Two float32 at `p` as float64. */
function wide(p: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(p));
}

/** Four float32 from four float64. */
function narrow(low: v128, high: v128): v128 {
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

/**
 * The mean of two blocks of 64 bytes, in a third of the time: one addition of float32 rounds as one
 * of float64 that is then rounded, and half of it is exact, or rounded from an exact sum. Returns
 * false, with nothing written, if a sum is not finite: in float64 it may be finite.
 */
function halve(out: usize, one: usize, other: usize): bool {
  const s0 = f32x4.add(v128.load(one), v128.load(other));
  const s1 = f32x4.add(v128.load(one, 16), v128.load(other, 16));
  const s2 = f32x4.add(v128.load(one, 32), v128.load(other, 32));
  const s3 = f32x4.add(v128.load(one, 48), v128.load(other, 48));
  // 0 for numbers, NaN for infinity and NaN.
  const d0 = v128.or(f32x4.sub(s0, s0), f32x4.sub(s1, s1));
  const d1 = v128.or(f32x4.sub(s2, s2), f32x4.sub(s3, s3));
  if (v128.any_true(v128.or(d0, d1))) return false;
  const half = f32x4.splat(0.5);
  v128.store(out, f32x4.mul(s0, half));
  v128.store(out, f32x4.mul(s1, half), 16);
  v128.store(out, f32x4.mul(s2, half), 32);
  v128.store(out, f32x4.mul(s3, half), 48);
  return true;
}

export function averageFloat32(
  out: usize,
  first: usize,
  stride: usize,
  members: usize,
  bytes: usize,
  weights: usize,
  factor: f64,
): void {
  const factors = f64x2.splat(factor);
  const last = weights + 8 * members;
  const ofTwo = members === 2 && load<f64>(weights) === 1 && load<f64>(weights, 8) === 1;
  const isHalved = ofTwo && factor === 0.5;
  for (const end = out + bytes; out < end; out += 64, first += 64) {
    if (isHalved && halve(out, first, first + stride)) continue;
    // -0 changes no number when added: 0 would lose the sign of -0.
    let s0 = f64x2.splat(-0.0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let s4 = s0;
    let s5 = s0;
    let s6 = s0;
    let s7 = s0;
    for (let p = first, w = weights; w < last; p += stride, w += 8) {
      if (load<f64>(w) === 0) continue;
      const weight = v128.load64_splat(w);
      s0 = f64x2.add(s0, f64x2.mul(weight, wide(p)));
      s1 = f64x2.add(s1, f64x2.mul(weight, wide(p + 8)));
      s2 = f64x2.add(s2, f64x2.mul(weight, wide(p + 16)));
      s3 = f64x2.add(s3, f64x2.mul(weight, wide(p + 24)));
      s4 = f64x2.add(s4, f64x2.mul(weight, wide(p + 32)));
      s5 = f64x2.add(s5, f64x2.mul(weight, wide(p + 40)));
      s6 = f64x2.add(s6, f64x2.mul(weight, wide(p + 48)));
      s7 = f64x2.add(s7, f64x2.mul(weight, wide(p + 56)));
    }
    v128.store(out, narrow(f64x2.mul(s0, factors), f64x2.mul(s1, factors)));
    v128.store(out, narrow(f64x2.mul(s2, factors), f64x2.mul(s3, factors)), 16);
    v128.store(out, narrow(f64x2.mul(s4, factors), f64x2.mul(s5, factors)), 32);
    v128.store(out, narrow(f64x2.mul(s6, factors), f64x2.mul(s7, factors)), 48);
  }
}

/** Averages float64, divided by `divisor`: a product with its inverse would round twice. */
export function averageFloat64(
  out: usize,
  first: usize,
  stride: usize,
  members: usize,
  bytes: usize,
  weights: usize,
  divisor: f64,
): void {
  const divisors = f64x2.splat(divisor);
  const last = weights + 8 * members;
  for (const end = out + bytes; out < end; out += 16, first += 16) {
    let sum = f64x2.splat(-0.0);
    for (let p = first, w = weights; w < last; p += stride, w += 8) {
      if (load<f64>(w) === 0) continue;
      sum = f64x2.add(sum, f64x2.mul(v128.load64_splat(w), v128.load(p)));
    }
    v128.store(out, f64x2.div(sum, divisors));
  }
}
