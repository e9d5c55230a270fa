/**
 * Stages `moments` and `normalize` over channels-first planes of 16 bytes and more, apart or in
 * one loop: while a block still in the cache is normalised, the next one streams in.
 *
 * Pointers are to the first channel of a block, aligned to T. Plane c of sample n is the run of
 * `plane` bytes at x + c * plane + n * stride: planes of a block are visited in memory's order,
 * since runs shorter than some 20 KB defeat the hardware's prefetching. Per-channel statistics
 * are float64, parameters T (0: none).
 */

import { centerOf, exactMoments, parameter, shiftOf, sound } from './channel';
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
  isSmall,
  OFFSET,
  RECORD,
  SCALE,
  SHIFT,
  SQUARES,
  SUM,
  smallMoments,
  smallNormalize,
} from './small-forward';

/**
 * One plane: normalises a into y by `record` where N is On, and adds the moments of b to it where
 * M is On. Near: center and shift are 0.
 */
function forwardPlane<T, N, M, Near>(
  y: usize,
  a: usize,
  b: usize,
  record: usize,
  plane: usize,
): void {
  const center = v128.load(record, CENTER);
  const scale = v128.load(record, SCALE);
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
    let chain = on<M>() ? min(turns, depthOf<Near>()) : turns;
    turns -= chain;
    do {
      if (on<M>()) {
        const d0 = differ<T, Near>(v128.load(b, 0), shift);
        const d1 = differ<T, Near>(v128.load(b, 16), shift);
        s0 = v128.add<T>(s0, v128.add<T>(d0, d1));
        q0 = madd<T>(d0, d0, q0);
        q1 = madd<T>(d1, d1, q1);
      }
      if (on<N>()) {
        v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 0), center), scale, offset), 0);
        v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 16), center), scale, offset), 16);
      }
      if (on<M>()) {
        const d2 = differ<T, Near>(v128.load(b, 32), shift);
        const d3 = differ<T, Near>(v128.load(b, 48), shift);
        s1 = v128.add<T>(s1, v128.add<T>(d2, d3));
        q2 = madd<T>(d2, d2, q2);
        q3 = madd<T>(d3, d3, q3);
      }
      if (on<N>()) {
        v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 32), center), scale, offset), 32);
        v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 48), center), scale, offset), 48);
      }
      a += TURN;
      b += TURN;
      y += TURN;
    } while (--chain > 0);
    if (on<M>() && turns > 0) {
      addTo(record + SUM, promote<T>(v128.add<T>(s0, s1)));
      addTo(record + SQUARES, promote<T>(v128.add<T>(v128.add<T>(q0, q1), v128.add<T>(q2, q3))));
      s0 = s1 = q0 = q1 = q2 = q3 = zero;
    }
  }
  const tail = plane % TURN;
  if (on<M>()) {
    if (tail & 32) {
      const d0 = differ<T, Near>(v128.load(b, 0), shift);
      s0 = v128.add<T>(s0, d0);
      q0 = madd<T>(d0, d0, q0);
      const d1 = differ<T, Near>(v128.load(b, 16), shift);
      s1 = v128.add<T>(s1, d1);
      q1 = madd<T>(d1, d1, q1);
    }
    if (tail & 16) {
      const d2 = differ<T, Near>(v128.load(b + (tail & 32)), shift);
      s0 = v128.add<T>(s0, d2);
      q2 = madd<T>(d2, d2, q2);
    }
    if (tail & 15) {
      // The last vector of the plane: lanes that were counted already are masked.
      const d3 = differ<T, Near>(v128.load(b + tail - 16), shift);
      const m3 = v128.and(d3, lastBytes(tail & 15));
      s1 = v128.add<T>(s1, m3);
      q3 = madd<T>(m3, m3, q3);
    }
    addTo(record + SUM, promote<T>(v128.add<T>(s0, s1)));
    addTo(record + SQUARES, promote<T>(v128.add<T>(v128.add<T>(q0, q1), v128.add<T>(q2, q3))));
  }
  if (on<N>()) {
    const vectors = a + (tail & 48);
    while (a < vectors) {
      v128.store(y, madd<T>(differ<T, Near>(v128.load(a), center), scale, offset));
      a += 16;
      y += 16;
    }
    const end = a + (tail & 15);
    while (a < end) {
      storeOne<T>(y, madd<T>(differ<T, Near>(loadOne<T>(a), center), scale, offset));
      a += sizeof<T>();
      y += sizeof<T>();
    }
  }
}

/** The planes of K samples from sample n on, channel by channel. */
function smallPlanes<T, K, N, M>(
  y: usize,
  a: usize,
  b: usize,
  records: usize,
  channels: usize,
  n: usize,
  stride: usize,
  plane: usize,
): void {
  let at = n * stride;
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    if (on<N>()) {
      if (hasNear<T>() && load<T>(record, CENTER) === 0) {
        smallNormalize<T, K, On>(y + at, a + at, stride, record, plane);
      } else {
        smallNormalize<T, K, Off>(y + at, a + at, stride, record, plane);
      }
    }
    if (on<M>()) {
      if (hasNear<T>() && load<T>(record, SHIFT) === 0) {
        smallMoments<T, K, On>(b + at, stride, record, plane);
      } else {
        smallMoments<T, K, Off>(b + at, stride, record, plane);
      }
    }
    at += plane;
  }
}

/** Normalises block a into y where N is On, takes the moments of block b where M is On. */
export function planeForward<T, N, M>(
  y: usize,
  a: usize,
  meanA: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
  mean: usize,
  m2: usize,
  b: usize,
  channels: usize,
  samples: usize,
  stride: usize,
  values: usize,
): void {
  const plane = values * sizeof<T>();
  const records = scratch(channels * RECORD);
  const zero = i64x2.splat(0);
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    if (on<N>()) {
      const m = load<f64>(meanA + c * 8);
      const s = load<f64>(invstd + c * 8);
      const center = centerOf<T>(m, s);
      const scale = <T>(s * parameter<T>(weight, c, 1));
      v128.store(record, v128.splat<T>(center), CENTER);
      v128.store(record, v128.splat<T>(scale), SCALE);
      // What center and scale lost of the mean goes into the offset.
      const offset = parameter<T>(bias, c, 0) - (m - <f64>center) * <f64>scale;
      v128.store(record, v128.splat<T>(<T>offset), OFFSET);
    }
    if (on<M>()) {
      const shift = shiftOf<T>(b + c * plane, samples, stride, plane);
      v128.store(record, v128.splat<T>(shift), SHIFT);
      v128.store(record, zero, SUM);
      v128.store(record, zero, SQUARES);
    }
  }
  let n: usize = 0;
  if (isSmall<T>(plane)) {
    for (; n + 4 <= samples; n += 4) {
      smallPlanes<T, i32, N, M>(y, a, b, records, channels, n, stride, plane);
    }
    if (n + 2 <= samples) {
      smallPlanes<T, i16, N, M>(y, a, b, records, channels, n, stride, plane);
      n += 2;
    }
  }
  for (; n < samples; n++) {
    let at = n * stride;
    for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
      const near =
        (!on<N>() || load<T>(record, CENTER) === 0) && (!on<M>() || load<T>(record, SHIFT) === 0);
      if (hasNear<T>() && near) forwardPlane<T, N, M, On>(y + at, a + at, b + at, record, plane);
      else forwardPlane<T, N, M, Off>(y + at, a + at, b + at, record, plane);
      at += plane;
    }
  }
  if (!on<M>()) return;
  const count = <f64>samples * <f64>values;
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    const x = b + c * plane;
    let sum = pairSum(record + SUM);
    let squares = pairSum(record + SQUARES);
    if (!sound<T>(count, sum, squares)) {
      // The sampled values misled: once more, from the mean that came out.
      const shift = <T>(<f64>load<T>(record, SHIFT) + sum / count);
      v128.store(record, v128.splat<T>(shift), SHIFT);
      v128.store(record, zero, SUM);
      v128.store(record, zero, SQUARES);
      for (let n: usize = 0; n < samples; n++) {
        forwardPlane<T, Off, On, Off>(0, 0, x + n * stride, record, plane);
      }
      sum = pairSum(record + SUM);
      squares = pairSum(record + SQUARES);
    }
    if (sound<T>(count, sum, squares)) {
      const delta = sum / count;
      store<f64>(mean + c * 8, <f64>load<T>(record, SHIFT) + delta);
      store<f64>(m2 + c * 8, squares - sum * delta);
    } else {
      exactMoments<T>(mean + c * 8, m2 + c * 8, x, samples, stride, plane);
    }
  }
}
