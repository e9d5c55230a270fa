/** Per-channel scalars: the shift of the moments, what normalises, and the exact moments. */

/** Below these many values, roundings do not average out: the shift is always near the mean. */
const FEW: usize = 64;
/** From these many values on, looking at eight of them costs next to nothing. */
const MANY: usize = 1024;

/** The value of a per-channel parameter, or `otherwise` where there is none (pointer 0). */
export function parameter<T>(pointer: usize, channel: usize, otherwise: f64): f64 {
  return pointer === 0 ? otherwise : <f64>load<T>(pointer + channel * sizeof<T>());
}

/**
 * What is subtracted from x before it is scaled: the mean, rounded to T, or 0 where the mean is
 * within two standard deviations of 0 and subtracting it gains no digits.
 */
export function centerOf<T>(mean: f64, invstd: f64): T {
  return abs(mean * invstd) <= 2 ? <T>0 : <T>mean;
}

/**
 * The shift of the moments, from eight values spread over a channel: their mean, or 0 where they
 * lie about 0. Squares of differences from it, even as float32, keep the variance. Channels that
 * are summed sooner than looked at try 0 first: the sums themselves show whether that was right.
 * `rows` runs of `bytes` each, `stride` bytes apart, both > 0.
 */
export function shiftOf<T>(x: usize, rows: usize, stride: usize, bytes: usize): T {
  const size: usize = sizeof<T>();
  const count = bytes / size;
  if (rows * count >= FEW && rows * count < MANY) return 0;
  // Vectors with one value in all lanes: scalar minima of WebAssembly take four times as long.
  let sum = i64x2.splat(0);
  let low = v128.load_splat<T>(x);
  let high = low;
  for (let i: usize = 0; i < 8; i++) {
    // Rows upwards, places within them in another order.
    const place = (((i * 10) & 14) + 1) * count;
    const value = v128.load_splat<T>(x + ((i * rows) >> 3) * stride + (place >> 4) * size);
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
 * Whether sums of differences from a shift give M2 to full precision:
 *
 *     mean = shift + sum / n,    M2 = squares - sum^2 / n
 *
 * lose digits where the shift is far from the mean: at d standard deviations 1 + d^2 times the
 * relative error of the squares' sum is left in M2. `most`, d^2 at most, keeps that within 1e-6.
 * They lose them, too, where squares overflow or underflow. NaN and infinity are not sound either.
 */
export function sound<T>(count: f64, sum: f64, squares: f64, most: f64): bool {
  // Times the count, since a division takes as long as all the rest.
  const product = sum * sum;
  const spread = squares * count - product;
  const tiny: f64 = sizeof<T>() === 4 ? 1e-30 : 1e-290;
  if (spread < Infinity && product <= most * spread && spread >= tiny * count * count) return true;
  return squares === 0 && sum === 0;
}

/** Mean and M2 by two float64 passes; slow, for values that float32 squares can not hold. */
export function exactMoments<T>(
  mean: usize,
  m2: usize,
  x: usize,
  rows: usize,
  stride: usize,
  bytes: usize,
): void {
  const size: usize = sizeof<T>();
  const count = <f64>rows * <f64>(bytes / size);
  let sum: f64 = 0;
  for (let r: usize = 0; r < rows; r++) {
    const start = x + r * stride;
    for (let p = start; p < start + bytes; p += size) sum += <f64>load<T>(p);
  }
  const center = sum / count;
  let squares: f64 = 0;
  for (let r: usize = 0; r < rows; r++) {
    const start = x + r * stride;
    for (let p = start; p < start + bytes; p += size) {
      const d = <f64>load<T>(p) - center;
      squares += d * d;
    }
  }
  store<f64>(mean, center);
  store<f64>(m2, squares);
}

/**
 * What is subtracted from x in sum(dy * (x - mean)): the mean, rounded to T, or 0 where four
 * values show that x spreads at least a quarter as far as the mean is from 0. `invstd` alone would
 * not do: it holds eps.
 */
export function gradientShiftOf<T>(
  x: usize,
  rows: usize,
  stride: usize,
  bytes: usize,
  mean: f64,
  invstd: f64,
): T {
  if (centerOf<T>(mean, invstd) !== 0) return <T>mean;
  const size: usize = sizeof<T>();
  const count = bytes / size;
  const middle = x + (rows >> 1) * stride + (count >> 1) * size;
  const a = abs(<f64>load<T>(x + (count >> 2) * size) - mean);
  const b = abs(<f64>load<T>(x + (count - 1 - (count >> 2)) * size) - mean);
  const c = abs(<f64>load<T>(middle) - mean);
  const d = abs(<f64>load<T>(x + (rows - 1) * stride + (count >> 1) * size) - mean);
  return abs(mean) <= 4 * max(max(a, b), max(c, d)) ? <T>0 : <T>mean;
}

/** sum(dy) and sum(dy * xhat) in float64; slow, for products that float32 can not hold. */
export function exactGradientSums<T>(
  sumDy: usize,
  sumDyXhat: usize,
  dy: usize,
  x: usize,
  mean: f64,
  invstd: f64,
  rows: usize,
  stride: usize,
  bytes: usize,
): void {
  let sum: f64 = 0;
  let products: f64 = 0;
  for (let r: usize = 0; r < rows; r++) {
    const start = r * stride;
    for (let at = start; at < start + bytes; at += sizeof<T>()) {
      const g = <f64>load<T>(dy + at);
      sum += g;
      products += g * (<f64>load<T>(x + at) - mean);
    }
  }
  store<f64>(sumDy, sum);
  store<f64>(sumDyXhat, products * invstd);
}
