/** Per-channel scalars: the shift of the sums, their results, and the coefficients of maps. */

import { Call } from './call';
import { loadPair, narrowPair, on, SIZE, STORED, storePair, valueAt, widePair } from './lanes';

/** For fewer values, roundings do not average out: the shift is always near the mean. */
const FEW: usize = 64;
/** For this many values and more, looking at eight of them costs next to nothing. */
const MANY: usize = 1024;

/** The float64 of a channel. */
function numberOf(pointer: usize, channel: usize): f64 {
  return load<f64>(pointer + channel * 8);
}

/** The parameters of two channels, or `otherwise` without an array. */
function parametersOf(pointer: usize, channel: usize, otherwise: f64): v128 {
  return pointer === 0 ? f64x2.splat(otherwise) : widePair(loadPair(pointer + channel * SIZE));
}

/** Ones for means within two standard deviations of 0, from which no center need be subtracted. */
function isNear(mean: v128, invstd: v128): v128 {
  return f64x2.le(f64x2.abs(f64x2.mul(mean, invstd)), f64x2.splat(2));
}

/** From the centers at the target of {@link putCoefficients}: the other coefficients. */
export const SCALE: usize = 1;
export const OFFSET: usize = 2;
export const SLOPE: usize = 3;

/**
 * Writes the coefficients of y = (x - center) * scale + offset, or of the gradient,
 * dx = dy * scale + offset + (x - center) * slope, of `channels` channels from `first` on, as T:
 * the centers to `target`, the scales `gap` bytes further, then the offsets, and a gradient's slopes.
 * One more of each may be written.
 *
 * The center is the mean, rounded to T, or 0 if subtracting it gains no digits.
 */
export function putCoefficients<Gradient>(
  call: Call,
  first: usize,
  channels: usize,
  target: usize,
  gap: usize,
): void {
  for (const end = first + channels; first < end; first += 2, target += 2 * SIZE) {
    const mean = v128.load(call.mean + first * 8);
    const invstd = v128.load(call.invstd + first * 8);
    const s = f64x2.mul(invstd, parametersOf(call.weight, first, 1));
    const center = narrowPair(v128.andnot(mean, isNear(mean, invstd)));
    const scale = narrowPair(s);
    storePair(target, center);
    storePair(target + SCALE * gap, scale);
    // The digits of the mean that center and scale lose go into the offset.
    const lost = f64x2.sub(mean, widePair(center));
    if (on<Gradient>()) {
      // Without means both are 0, even if invstd is infinite.
      let k = f64x2.splat(0);
      let level = k;
      if (call.meanDy !== 0) {
        k = f64x2.mul(f64x2.mul(v128.load(call.meanDyXhat + first * 8), invstd), s);
        level = f64x2.mul(v128.load(call.meanDy + first * 8), s);
      }
      const offset = narrowPair(f64x2.sub(f64x2.mul(lost, k), level));
      storePair(target + OFFSET * gap, offset);
      storePair(target + SLOPE * gap, v128.neg<T>(narrowPair(k)));
    } else {
      const moved = f64x2.mul(lost, widePair(scale));
      const offset = f64x2.sub(parametersOf(call.bias, first, 0), moved);
      storePair(target + OFFSET * gap, narrowPair(offset));
    }
  }
}

/**
 * Finds the shift of the sums over a channel, whose first row is at `x` with `bytes` bytes. Squares
 * of differences from the shift, even as float32, keep the variance.
 */
export function shiftOf<Gradient>(call: Call, channel: usize, x: usize, bytes: usize): T {
  if (on<Gradient>()) return gradientShiftOf(call, channel, x, bytes);
  return momentsShiftOf(x, call.rows, call.stride, bytes);
}

/**
 * Finds the shift from eight values spread over a channel: their mean, or 0 if they lie about 0.
 * Channels that are summed as fast as they are sampled try 0 first: the sums themselves show if
 * that was right.
 */
function momentsShiftOf(x: usize, rows: usize, stride: usize, bytes: usize): T {
  const count = bytes / STORED;
  if (rows * count >= FEW && rows * count < MANY) return 0;
  // Vectors with one value in all lanes: scalar minima of WebAssembly take four times as long.
  let sum = i64x2.splat(0);
  let low = v128.splat<T>(valueAt(x));
  let high = low;
  for (let i: usize = 0; i < 8; i++) {
    // Rows in rising order, places within them in another order.
    const place = (((i * 10) & 14) + 1) * count;
    const value = v128.splat<T>(valueAt(x + ((i * rows) >> 3) * stride + (place >> 4) * STORED));
    sum = v128.add<T>(sum, value);
    low = v128.pmin<T>(low, value);
    high = v128.pmax<T>(high, value);
  }
  const mean = v128.extract_lane<T>(sum, 0) * <T>0.125;
  const range = v128.extract_lane<T>(v128.sub<T>(high, low), 0);
  // About 1.4 standard deviations, a little more than planes are sound to: eight values often have
  // a larger mean than their channel.
  return rows * count >= FEW && abs(mean) <= range * <T>0.5 ? <T>0 : mean;
}

/**
 * Finds the shift of sum(dy * (x - mean)): the mean, rounded to T, or 0 if four values show that x
 * spreads at least a quarter as far as the mean is from 0. `invstd` alone would not do: it holds
 * eps.
 */
function gradientShiftOf(call: Call, channel: usize, x: usize, bytes: usize): T {
  const mean = numberOf(call.mean, channel);
  if (!(abs(mean * numberOf(call.invstd, channel)) <= 2)) return <T>mean;
  const rows = call.rows;
  const stride = call.stride;
  const count = bytes / STORED;
  const middle = (count >> 1) * STORED;
  if (isSpread(x + (count >> 2) * STORED, mean)) return 0;
  if (isSpread(x + (count - 1 - (count >> 2)) * STORED, mean)) return 0;
  if (isSpread(x + (rows >> 1) * stride + middle, mean)) return 0;
  return isSpread(x + (rows - 1) * stride + middle, mean) ? <T>0 : <T>mean;
}

/** True if the value at `p` is at least a quarter as far from the mean as the mean is from 0. */
function isSpread(p: usize, mean: f64): bool {
  return abs(mean) <= 4 * abs(<f64>valueAt(p) - mean);
}

/** Variances under it come from squares that may have underflowed. */
function leastVariance(): f64 {
  return sizeof<T>() === 4 ? 1e-30 : 1e-290;
}

/**
 * True if sums of differences from a shift give M2 to full precision:
 *
 *     mean = shift + sum / n,    M2 = squares - sum^2 / n
 *
 * They lose digits if the shift is far from the mean: at d standard deviations, 1 + d^2 times the
 * relative error of the squares' sum is left in M2. `most`, d^2 at most, keeps that within 1e-6.
 * They also lose digits if squares overflow or underflow. NaN and infinity are not sound either.
 * Both sums are 0 if all values equal the shift, or are so near a tiny one that squares underflow.
 */
export function sound(count: f64, sum: f64, squares: f64, shift: T, most: f64): bool {
  // Multiplied by the count, since a division takes as long as all the rest.
  const product = sum * sum;
  const spread = squares * count - product;
  const least = leastVariance() * count * count;
  if (spread < Infinity && product <= most * spread && spread >= least) return true;
  return squares === 0 && sum === 0 && (shift === 0 || abs(shift) >= <T>1e-15);
}

/** As {@link sound}, of two channels; false also if one of them has only zeros. */
function areSound(count: f64, sums: v128, squares: v128, most: f64): bool {
  const product = f64x2.mul(sums, sums);
  const spread = f64x2.sub(f64x2.mul(squares, f64x2.splat(count)), product);
  const least = f64x2.splat(leastVariance() * count * count);
  const isSpread = v128.and(f64x2.lt(spread, f64x2.splat(Infinity)), f64x2.ge(spread, least));
  const isCentered = f64x2.le(product, f64x2.mul(f64x2.splat(most), spread));
  return i64x2.all_true(v128.and(isSpread, isCentered));
}

/** Writes the two results of two channels. */
function putPairs(call: Call, channel: usize, first: v128, second: v128): void {
  v128.store(call.first + channel * 8, first);
  v128.store(call.second + channel * 8, second);
}

/**
 * Writes mean and M2 of two channels from their sums about shifts, all float64.
 * @param share 1 / count
 * @returns false, with nothing written, unless both are sound
 */
export function putTwoMoments(
  call: Call,
  channel: usize,
  sums: v128,
  squares: v128,
  shifts: v128,
  count: f64,
  share: f64,
  most: f64,
): bool {
  if (!areSound(count, sums, squares, most)) return false;
  const delta = f64x2.mul(sums, f64x2.splat(share));
  const m2 = f64x2.sub(squares, f64x2.mul(sums, delta));
  putPairs(call, channel, f64x2.add(shifts, delta), m2);
  return true;
}

/** As {@link putGradientSums}, of two channels. @returns false if they are beyond float32's range */
export function putTwoGradientSums(
  call: Call,
  channel: usize,
  shifts: v128,
  sums: v128,
  products: v128,
): bool {
  const lost = f64x2.sub(v128.load(call.mean + channel * 8), shifts);
  const centered = f64x2.sub(products, f64x2.mul(lost, sums));
  if (!i64x2.all_true(f64x2.lt(f64x2.abs(centered), f64x2.splat(Infinity)))) return false;
  putPairs(call, channel, sums, f64x2.mul(centered, v128.load(call.invstd + channel * 8)));
  return true;
}

/** Writes the two results of a channel. */
export function put(call: Call, channel: usize, first: f64, second: f64): void {
  store<f64>(call.first + channel * 8, first);
  store<f64>(call.second + channel * 8, second);
}

/** Writes mean and M2 of a channel whose first row is at `x` from float64 sums; slow. */
export function putExactMoments(call: Call, channel: usize, x: usize): void {
  const mean = exactSum(call, x, 0, 0, 0) / (<f64>call.rows * <f64>call.values);
  put(call, channel, mean, exactSum(call, x, mean, x, mean));
}

/** Writes sum(dy) and sum(dy * xhat) of a channel from its sums about `shift`. */
export function putGradientSums(
  call: Call,
  channel: usize,
  at: usize,
  shift: T,
  sum: f64,
  products: f64,
): void {
  const mean = numberOf(call.mean, channel);
  let centered = products - (mean - <f64>shift) * sum;
  // Beyond float32's range: once more in float64.
  if (!(abs(centered) < Infinity)) {
    sum = exactSum(call, call.dy + at, 0, 0, 0);
    centered = exactSum(call, call.dy + at, 0, call.x + at, mean);
  }
  put(call, channel, sum, centered * numberOf(call.invstd, channel));
}

/** Sum of (a - aCenter) * (b - bCenter) over a channel in float64, of a alone if b is 0; slow. */
function exactSum(call: Call, a: usize, aCenter: f64, b: usize, bCenter: f64): f64 {
  const bytes = call.values * STORED;
  let sum: f64 = 0;
  for (let r: usize = 0; r < call.rows; r++) {
    const start = r * call.stride;
    for (let at = start; at < start + bytes; at += STORED) {
      const factor = b === 0 ? 1 : <f64>valueAt(b + at) - bCenter;
      sum += (<f64>valueAt(a + at) - aCenter) * factor;
    }
  }
  return sum;
}
