/**
 * Stages `gradient-sums` and `input-gradient` over channels-first planes of 16 bytes and more,
 * apart or in one loop: while a block still in the cache gets its dx, the next one streams in.
 *
 * Pointers as in plane-forward: to the first channel of a block, aligned to T; plane c of sample n
 * is the run of `plane` bytes at c * plane + n * stride. dx may be dy or x.
 */

import { centerOf, exactGradientSums, gradientShiftOf, parameter } from './channel';
import {
  addTo,
  depthOf,
  differ,
  hasNear,
  lastBytes,
  loadOne,
  madd,
  Off,
  On,
  on,
  pairSum,
  promote,
  storeOne,
  TURN,
} from './lanes';
import { scratch } from './scratch';
import {
  CENTER,
  gradient,
  OFFSET,
  PRODUCTS,
  RECORD,
  SCALE,
  SHIFT,
  SLOPE,
  SUM,
  smallSums,
} from './small-backward';
import { isSmall } from './small-forward';

/**
 * One plane: dx of block a by `record` where G is On; sums of dyB and of dyB * (b - shift) added
 * to the record where S is On. Near: center and shift are 0.
 */
function backwardPlane<T, G, S, Near>(
  dx: usize,
  dyA: usize,
  a: usize,
  dyB: usize,
  b: usize,
  record: usize,
  plane: usize,
): void {
  const center = v128.load(record, CENTER);
  const scale = v128.load(record, SCALE);
  const slope = v128.load(record, SLOPE);
  const offset = v128.load(record, OFFSET);
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
    let chain = on<S>() ? min(turns, depthOf<Near>()) : turns;
    turns -= chain;
    do {
      if (on<S>()) {
        const g0 = v128.load(dyB, 0);
        const g1 = v128.load(dyB, 16);
        s0 = v128.add<T>(s0, v128.add<T>(g0, g1));
        q0 = madd<T>(differ<T, Near>(v128.load(b, 0), shift), g0, q0);
        q1 = madd<T>(differ<T, Near>(v128.load(b, 16), shift), g1, q1);
      }
      if (on<G>()) {
        const x0 = v128.load(a, 0);
        const x1 = v128.load(a, 16);
        v128.store(dx, gradient<T, Near>(v128.load(dyA, 0), x0, center, scale, slope, offset), 0);
        v128.store(dx, gradient<T, Near>(v128.load(dyA, 16), x1, center, scale, slope, offset), 16);
      }
      if (on<S>()) {
        const g2 = v128.load(dyB, 32);
        const g3 = v128.load(dyB, 48);
        s1 = v128.add<T>(s1, v128.add<T>(g2, g3));
        q2 = madd<T>(differ<T, Near>(v128.load(b, 32), shift), g2, q2);
        q3 = madd<T>(differ<T, Near>(v128.load(b, 48), shift), g3, q3);
      }
      if (on<G>()) {
        const x2 = v128.load(a, 32);
        const x3 = v128.load(a, 48);
        v128.store(dx, gradient<T, Near>(v128.load(dyA, 32), x2, center, scale, slope, offset), 32);
        v128.store(dx, gradient<T, Near>(v128.load(dyA, 48), x3, center, scale, slope, offset), 48);
      }
      dx += TURN;
      dyA += TURN;
      a += TURN;
      dyB += TURN;
      b += TURN;
    } while (--chain > 0);
    if (on<S>() && turns > 0) {
      addTo(record + SUM, promote<T>(v128.add<T>(s0, s1)));
      addTo(record + PRODUCTS, promote<T>(v128.add<T>(v128.add<T>(q0, q1), v128.add<T>(q2, q3))));
      s0 = s1 = q0 = q1 = q2 = q3 = zero;
    }
  }
  const tail = plane % TURN;
  if (on<S>()) {
    const vectors = tail & 48;
    for (let i: usize = 0; i < vectors; i += 16) {
      const g = v128.load(dyB + i);
      s0 = v128.add<T>(s0, g);
      q0 = madd<T>(differ<T, Near>(v128.load(b + i), shift), g, q0);
    }
    if (tail & 15) {
      // The last vector of the plane: lanes that were counted already are masked, in both factors
      // (0 * infinity would be NaN).
      const mask = lastBytes(tail & 15);
      const g = v128.and(v128.load(dyB + tail - 16), mask);
      s1 = v128.add<T>(s1, g);
      const d = v128.and(differ<T, Near>(v128.load(b + tail - 16), shift), mask);
      q1 = madd<T>(d, g, q1);
    }
    addTo(record + SUM, promote<T>(v128.add<T>(s0, s1)));
    addTo(record + PRODUCTS, promote<T>(v128.add<T>(v128.add<T>(q0, q1), v128.add<T>(q2, q3))));
  }
  if (on<G>()) {
    const vectors = a + (tail & 48);
    while (a < vectors) {
      const g = gradient<T, Near>(v128.load(dyA), v128.load(a), center, scale, slope, offset);
      v128.store(dx, g);
      dx += 16;
      dyA += 16;
      a += 16;
    }
    const end = a + (tail & 15);
    while (a < end) {
      const g = gradient<T, Near>(loadOne<T>(dyA), loadOne<T>(a), center, scale, slope, offset);
      storeOne<T>(dx, g);
      dx += sizeof<T>();
      dyA += sizeof<T>();
      a += sizeof<T>();
    }
  }
}

/** Adds the sums over the planes of K samples from sample n on, channel by channel. */
function sumsOfPlanes<T, K>(
  dy: usize,
  x: usize,
  records: usize,
  channels: usize,
  n: usize,
  stride: usize,
  plane: usize,
): void {
  let at = n * stride;
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    if (hasNear<T>() && load<T>(record, SHIFT) === 0) {
      smallSums<T, K, On>(dy + at, x + at, stride, record, plane);
    } else {
      smallSums<T, K, Off>(dy + at, x + at, stride, record, plane);
    }
    at += plane;
  }
}

/**
 * Writes dx of block a where G is On (`meanDy`, `meanDyXhat`: the group's sums over its count, or
 * 0 and 0 for none), and the sums of block b where S is On.
 */
export function planeBackward<T, G, S>(
  dx: usize,
  dyA: usize,
  a: usize,
  meanA: usize,
  invstdA: usize,
  weight: usize,
  meanDy: usize,
  meanDyXhat: usize,
  sumDy: usize,
  sumDyXhat: usize,
  dyB: usize,
  b: usize,
  meanB: usize,
  invstdB: usize,
  channels: usize,
  samples: usize,
  stride: usize,
  values: usize,
): void {
  const plane = values * sizeof<T>();
  const records = scratch(channels * RECORD);
  const zero = i64x2.splat(0);
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    if (on<G>()) {
      const m = load<f64>(meanA + c * 8);
      const s = load<f64>(invstdA + c * 8);
      const center = centerOf<T>(m, s);
      const scale = s * parameter<T>(weight, c, 1);
      const slope = meanDy === 0 ? <f64>0 : load<f64>(meanDyXhat + c * 8) * s * scale;
      const level = meanDy === 0 ? <f64>0 : load<f64>(meanDy + c * 8) * scale;
      v128.store(record, v128.splat<T>(center), CENTER);
      v128.store(record, v128.splat<T>(<T>scale), SCALE);
      v128.store(record, v128.splat<T>(<T>slope), SLOPE);
      v128.store(record, v128.splat<T>(<T>((m - <f64>center) * slope - level)), OFFSET);
    }
    if (on<S>()) {
      const m = load<f64>(meanB + c * 8);
      const shift = gradientShiftOf<T>(
        b + c * plane,
        samples,
        stride,
        plane,
        m,
        load<f64>(invstdB + c * 8),
      );
      v128.store(record, v128.splat<T>(shift), SHIFT);
      v128.store(record, zero, SUM);
      v128.store(record, zero, PRODUCTS);
    }
  }
  let n: usize = 0;
  if (on<S>() && !on<G>() && isSmall<T>(plane)) {
    for (; n + 4 <= samples; n += 4) {
      sumsOfPlanes<T, i32>(dyB, b, records, channels, n, stride, plane);
    }
    if (n + 2 <= samples) {
      sumsOfPlanes<T, i16>(dyB, b, records, channels, n, stride, plane);
      n += 2;
    }
  }
  for (; n < samples; n++) {
    let at = n * stride;
    for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
      const near =
        (!on<G>() || load<T>(record, CENTER) === 0) && (!on<S>() || load<T>(record, SHIFT) === 0);
      if (hasNear<T>() && near) {
        backwardPlane<T, G, S, On>(dx + at, dyA + at, a + at, dyB + at, b + at, record, plane);
      } else {
        backwardPlane<T, G, S, Off>(dx + at, dyA + at, a + at, dyB + at, b + at, record, plane);
      }
      at += plane;
    }
  }
  if (!on<S>()) return;
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    const m = load<f64>(meanB + c * 8);
    const sum = pairSum(record + SUM);
    const products = pairSum(record + PRODUCTS) - (m - <f64>load<T>(record, SHIFT)) * sum;
    const at = c * plane;
    store<f64>(sumDy + c * 8, sum);
    store<f64>(sumDyXhat + c * 8, products * load<f64>(invstdB + c * 8));
    // Past what float32 holds: once more in float64.
    if (!(abs(products) < Infinity)) {
      exactGradientSums<T>(
        sumDy + c * 8,
        sumDyXhat + c * 8,
        dyB + at,
        b + at,
        m,
        load<f64>(invstdB + c * 8),
        samples,
        stride,
        plane,
      );
    }
  }
}
