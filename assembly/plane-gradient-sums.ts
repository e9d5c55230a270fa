/** Stage `gradient-sums` over channels-first planes of 16 bytes and more; see plane-moments.ts. */

import { exactGradientSums, gradientShiftOf } from './channel';
import {
  addTo,
  depthOf,
  differ,
  hasNear,
  lastBytes,
  madd,
  Off,
  On,
  pairSum,
  promote,
  TURN,
} from './lanes';
import { scratch } from './scratch';
import { isSmall } from './small';

/** Bytes of a channel's record. */
const RECORD: usize = 48;
const SHIFT: usize = 0;
const SUM: usize = 16;
const PRODUCTS: usize = 32;

/** Adds the sums of dy and of dy * (x - shift) over one plane to `record`. Near: the shift is 0. */
function planeSums<T, Near>(dy: usize, b: usize, record: usize, plane: usize): void {
  const shift = v128.load(record, SHIFT);
  const zero = i64x2.splat(0);
  let s0 = zero;
  let s1 = zero;
  let q0 = zero;
  let q1 = zero;
  let q2 = zero;
  let q3 = zero;
  let turns = plane / TURN;
  while (turns > 0) {
    let chain = min(turns, depthOf<Near>());
    turns -= chain;
    do {
      const g0 = v128.load(dy, 0);
      const g1 = v128.load(dy, 16);
      s0 = v128.add<T>(s0, v128.add<T>(g0, g1));
      q0 = madd<T>(differ<T, Near>(v128.load(b, 0), shift), g0, q0);
      q1 = madd<T>(differ<T, Near>(v128.load(b, 16), shift), g1, q1);
      const g2 = v128.load(dy, 32);
      const g3 = v128.load(dy, 48);
      s1 = v128.add<T>(s1, v128.add<T>(g2, g3));
      q2 = madd<T>(differ<T, Near>(v128.load(b, 32), shift), g2, q2);
      q3 = madd<T>(differ<T, Near>(v128.load(b, 48), shift), g3, q3);
      dy += TURN;
      b += TURN;
    } while (--chain > 0);
    if (turns > 0) {
      addTo(record + SUM, promote<T>(v128.add<T>(s0, s1)));
      addTo(record + PRODUCTS, promote<T>(v128.add<T>(v128.add<T>(q0, q1), v128.add<T>(q2, q3))));
      s0 = s1 = q0 = q1 = q2 = q3 = zero;
    }
  }
  const tail = plane % TURN;
  const vectors = tail & 48;
  for (let i: usize = 0; i < vectors; i += 16) {
    const g = v128.load(dy + i);
    s0 = v128.add<T>(s0, g);
    q0 = madd<T>(differ<T, Near>(v128.load(b + i), shift), g, q0);
  }
  if (tail & 15) {
    // The last vector of the plane: lanes that were counted already are masked, in both factors
    // (0 * infinity would be NaN).
    const mask = lastBytes(tail & 15);
    const g = v128.and(v128.load(dy + tail - 16), mask);
    s1 = v128.add<T>(s1, g);
    const d = v128.and(differ<T, Near>(v128.load(b + tail - 16), shift), mask);
    q1 = madd<T>(d, g, q1);
  }
  addTo(record + SUM, promote<T>(v128.add<T>(s0, s1)));
  addTo(record + PRODUCTS, promote<T>(v128.add<T>(v128.add<T>(q0, q1), v128.add<T>(q2, q3))));
}

/** Adds the sums of dy and of dy * x over K planes near 0, `stride` bytes apart, to `record`. */
function smallSums<T, K>(dy: usize, x: usize, stride: usize, record: usize, plane: usize): void {
  const delta = x - dy;
  let sum = i64x2.splat(0);
  let products = sum;
  let p0 = dy;
  let p1 = p0 + stride;
  let p2 = sizeof<K>() > 2 ? p1 + stride : p0;
  let p3 = sizeof<K>() > 2 ? p2 + stride : p0;
  for (const whole = dy + (plane & ~15); p0 < whole; ) {
    let g = v128.load(p0);
    let d = v128.mul<T>(v128.load(p0 + delta), g);
    const g1 = v128.load(p1);
    d = madd<T>(v128.load(p1 + delta), g1, d);
    g = v128.add<T>(g, g1);
    if (sizeof<K>() > 2) {
      const g2 = v128.load(p2);
      const g3 = v128.load(p3);
      const d2 = v128.mul<T>(v128.load(p2 + delta), g2);
      d = v128.add<T>(d, madd<T>(v128.load(p3 + delta), g3, d2));
      g = v128.add<T>(g, v128.add<T>(g2, g3));
    }
    sum = v128.add<T>(sum, g);
    products = v128.add<T>(products, d);
    p0 += 16;
    p1 += 16;
    p2 += 16;
    p3 += 16;
  }
  const rest = plane & 15;
  if (rest) {
    // The last vectors of the planes: lanes that were counted already are masked, in both factors
    // (0 * infinity would be NaN).
    const mask = lastBytes(rest);
    const back = rest - 16;
    for (let k = sizeof<K>(); k > 0; k--) {
      const g = v128.and(v128.load(p0 + back), mask);
      sum = v128.add<T>(sum, g);
      products = madd<T>(v128.and(v128.load(p0 + back + delta), mask), g, products);
      p0 += stride;
    }
  }
  addTo(record + SUM, promote<T>(sum));
  addTo(record + PRODUCTS, promote<T>(products));
}

/** The planes of K samples, channel by channel. */
function smallPlanes<T, K>(
  dy: usize,
  x: usize,
  stride: usize,
  records: usize,
  channels: usize,
  plane: usize,
): void {
  const end = records + channels * RECORD;
  for (let record = records; record < end; record += RECORD) {
    if (load<T>(record, SHIFT) === 0) {
      smallSums<T, K>(dy, x, stride, record, plane);
    } else {
      for (let k: usize = 0; k < sizeof<K>(); k++) {
        planeSums<T, Off>(dy + k * stride, x + k * stride, record, plane);
      }
    }
    dy += plane;
    x += plane;
  }
}

/** Writes sum(dy) and sum(dy * xhat) (float64) of `channels` channels. */
export function planeGradientSums<T>(
  sumDy: usize,
  sumDyXhat: usize,
  dy: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  channels: usize,
  samples: usize,
  stride: usize,
  values: usize,
): void {
  const plane = values * sizeof<T>();
  const records = scratch(channels * RECORD);
  const zero = i64x2.splat(0);
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    const m = load<f64>(mean + c * 8);
    const s = load<f64>(invstd + c * 8);
    const shift = gradientShiftOf<T>(x + c * plane, samples, stride, plane, m, s);
    v128.store(record, v128.splat<T>(shift), SHIFT);
    v128.store(record, zero, SUM);
    v128.store(record, zero, PRODUCTS);
  }
  let n: usize = 0;
  if (isSmall<T>(plane)) {
    for (; n + 4 <= samples; n += 4) {
      const at = n * stride;
      smallPlanes<T, i32>(dy + at, x + at, stride, records, channels, plane);
    }
    if (n + 2 <= samples) {
      const at = n * stride;
      smallPlanes<T, i16>(dy + at, x + at, stride, records, channels, plane);
      n += 2;
    }
  }
  for (; n < samples; n++) {
    let at = n * stride;
    for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
      if (hasNear<T>() && load<T>(record, SHIFT) === 0) {
        planeSums<T, On>(dy + at, x + at, record, plane);
      } else {
        planeSums<T, Off>(dy + at, x + at, record, plane);
      }
      at += plane;
    }
  }
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    const m = load<f64>(mean + c * 8);
    const s = load<f64>(invstd + c * 8);
    const sum = pairSum(record + SUM);
    const products = pairSum(record + PRODUCTS) - (m - <f64>load<T>(record, SHIFT)) * sum;
    const sumAt = sumDy + c * 8;
    const productAt = sumDyXhat + c * 8;
    store<f64>(sumAt, sum);
    store<f64>(productAt, products * s);
    // Past what float32 holds: once more in float64.
    if (!(abs(products) < Infinity)) {
      const at = c * plane;
      exactGradientSums<T>(sumAt, productAt, dy + at, x + at, m, s, samples, stride, plane);
    }
  }
}
