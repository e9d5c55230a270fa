/** Per-channel scalars: the shift of the sums, their results, and the coefficients of maps. */

import { Call } from './call';
import { on, SIZE, STORED, valueAt } from './lanes';

/** For fewer values, roundings do not average out: the shift is always near the mean. */
const FEW: usize = 64;
/** For this many values and more, looking at eight of them costs next to nothing. */
const MANY: usize = 1024;

/** The float64 of a channel. */
function numberOf(pointer: usize, channel: usize): f64 {
  return load<f64>(pointer + channel * 8);
}

/** The parameter of a channel, or `otherwise` without an array. */
function parameterOf(pointer: usize, channel: usize, otherwise: f64): f64 {
  return pointer === 0 ? otherwise : <f64>load<T>(pointer + channel * SIZE);
}

/**
 * The number that is subtracted from x before it is scaled: the mean, rounded to T, or 0 if the
 * mean is within two standard deviations of 0 and subtracting it gains no digits.
 */
function centerOf(mean: f64, invstd: f64): T {
  return abs(mean * invstd) <= 2 ? <T>0 : numberFrom(mean);
}

/** Returns a number as T. Results that are cut to 16 bits have one NaN: see narrowed in half.ts. */
function numberFrom(value: f64): T {
  return STORED === SIZE || value >= 0 || value < 0 ? <T>value : <T>NaN;
}

/** The coefficients of the latest channel of {@link setCoefficients}. */
export let center: T = 0;
export let scale: T = 0;
export let offset: T = 0;
export let slope: T = 0;

/**
 * Sets the coefficients of y = (x - center) * scale + offset, or of the gradient,
 * dx = dy * scale + offset + (x - center) * slope.
 */
export function setCoefficients<Gradient>(call: Call, channel: usize): void {
  const mean = numberOf(call.mean, channel);
  const invstd = numberOf(call.invstd, channel);
  const s = invstd * parameterOf(call.weight, channel, 1);
  center = centerOf(mean, invstd);
  scale = numberFrom(s);
  // The digits of the mean that center and scale lose go into the offset.
  const lost = mean - <f64>center;
  if (on<Gradient>()) {
    // Without means both are 0, even if invstd is infinite.
    const k = call.meanDy === 0 ? 0 : numberOf(call.meanDyXhat, channel) * invstd * s;
    const level = call.meanDy === 0 ? 0 : numberOf(call.meanDy, channel) * s;
    slope = -numberFrom(k);
    offset = numberFrom(lost * k - level);
  } else {
    offset = numberFrom(parameterOf(call.bias, channel, 0) - lost * <f64>scale);
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
  if (centerOf(mean, numberOf(call.invstd, channel)) !== 0) return <T>mean;
  const rows = call.rows;
  const stride = call.stride;
  const count = bytes / STORED;
  const middle = x + (rows >> 1) * stride + (count >> 1) * STORED;
  const a = abs(<f64>valueAt(x + (count >> 2) * STORED) - mean);
  const b = abs(<f64>valueAt(x + (count - 1 - (count >> 2)) * STORED) - mean);
  const c = abs(<f64>valueAt(middle) - mean);
  const d = abs(<f64>valueAt(x + (rows - 1) * stride + (count >> 1) * STORED) - mean);
  return abs(mean) <= 4 * max(max(a, b), max(c, d)) ? <T>0 : <T>mean;
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
  const tiny: f64 = sizeof<T>() === 4 ? 1e-30 : 1e-290;
  if (spread < Infinity && product <= most * spread && spread >= tiny * count * count) return true;
  return squares === 0 && sum === 0 && (shift === 0 || abs(shift) >= <T>1e-15);
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
