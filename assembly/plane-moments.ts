/**
 * Stage `moments` over channels-first planes of 16 bytes and more.
 *
 * Pointers are to the first channel of a block, aligned to T. Plane c of sample n is the run of
 * `plane` bytes at x + c * plane + n * stride: planes of a block are visited in memory's order,
 * since runs shorter than some 20 KB defeat the hardware's prefetching. Per-channel statistics
 * are float64, parameters T (0: none).
 */

import { exactMoments, shiftOf, sound } from './channel';
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
import { CHAIN, isMedium, isSmall, squareOf, sumOf } from './small';

/** Bytes of a channel's record. */
const RECORD: usize = 48;
const SHIFT: usize = 0;
const SUM: usize = 16;
const SQUARES: usize = 32;

/** Of `sound`: what chains of depthOf turns are off leaves M2 within 1e-6 so. */
const MOST: f64 = 1.5625;

/** Adds the moments of one plane to `record`. Near: the shift is 0. */
function planeSums<T, Near>(b: usize, record: usize, plane: usize): void {
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
      const d0 = differ<T, Near>(v128.load(b, 0), shift);
      const d1 = differ<T, Near>(v128.load(b, 16), shift);
      s0 = v128.add<T>(s0, v128.add<T>(d0, d1));
      q0 = madd<T>(d0, d0, q0);
      q1 = madd<T>(d1, d1, q1);
      const d2 = differ<T, Near>(v128.load(b, 32), shift);
      const d3 = differ<T, Near>(v128.load(b, 48), shift);
      s1 = v128.add<T>(s1, v128.add<T>(d2, d3));
      q2 = madd<T>(d2, d2, q2);
      q3 = madd<T>(d3, d3, q3);
      b += TURN;
    } while (--chain > 0);
    if (turns > 0) {
      addTo(record + SUM, promote<T>(v128.add<T>(s0, s1)));
      addTo(record + SQUARES, promote<T>(v128.add<T>(v128.add<T>(q0, q1), v128.add<T>(q2, q3))));
      s0 = s1 = q0 = q1 = q2 = q3 = zero;
    }
  }
  const tail = plane % TURN;
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

/** Adds the moments of K planes near 0, `stride` bytes apart, to `record`. */
function smallMoments<T, K>(b: usize, stride: usize, record: usize, plane: usize): void {
  let sum = i64x2.splat(0);
  let squares = sum;
  let p0 = b;
  let p1 = p0 + stride;
  let p2 = sizeof<K>() > 2 ? p1 + stride : p0;
  let p3 = sizeof<K>() > 2 ? p2 + stride : p0;
  for (const whole = b + (plane & ~15); p0 < whole; ) {
    const x0 = v128.load(p0);
    const x1 = v128.load(p1);
    const x2 = sizeof<K>() > 2 ? v128.load(p2) : x0;
    const x3 = sizeof<K>() > 2 ? v128.load(p3) : x0;
    sum = v128.add<T>(sum, sumOf<T, K>(x0, x1, x2, x3));
    squares = v128.add<T>(squares, squareOf<T, K>(x0, x1, x2, x3));
    p0 += 16;
    p1 += 16;
    p2 += 16;
    p3 += 16;
  }
  const rest = plane & 15;
  if (rest) {
    // The last vectors of the planes: lanes that were counted already are masked.
    const mask = lastBytes(rest);
    const back = rest - 16;
    const x0 = v128.and(v128.load(p0 + back), mask);
    const x1 = v128.and(v128.load(p1 + back), mask);
    const x2 = sizeof<K>() > 2 ? v128.and(v128.load(p2 + back), mask) : x0;
    const x3 = sizeof<K>() > 2 ? v128.and(v128.load(p3 + back), mask) : x0;
    sum = v128.add<T>(sum, sumOf<T, K>(x0, x1, x2, x3));
    squares = v128.add<T>(squares, squareOf<T, K>(x0, x1, x2, x3));
  }
  addTo(record + SUM, promote<T>(sum));
  addTo(record + SQUARES, promote<T>(squares));
}

/** The same of four longer planes of whole vectors, chain by chain. */
function mediumMoments<T>(b: usize, stride: usize, record: usize, plane: usize): void {
  let p0 = b;
  let p1 = p0 + stride;
  let p2 = p1 + stride;
  let p3 = p2 + stride;
  for (const whole = b + plane; p0 < whole; ) {
    const end = min(whole, p0 + CHAIN);
    let sum = i64x2.splat(0);
    let squares = sum;
    do {
      const x0 = v128.load(p0);
      const x1 = v128.load(p1);
      const x2 = v128.load(p2);
      const x3 = v128.load(p3);
      sum = v128.add<T>(sum, sumOf<T, i32>(x0, x1, x2, x3));
      squares = v128.add<T>(squares, squareOf<T, i32>(x0, x1, x2, x3));
      p0 += 16;
      p1 += 16;
      p2 += 16;
      p3 += 16;
    } while (p0 < end);
    addTo(record + SUM, promote<T>(sum));
    addTo(record + SQUARES, promote<T>(squares));
  }
}

/** The planes of K samples, channel by channel. */
function smallPlanes<T, K>(
  b: usize,
  stride: usize,
  records: usize,
  channels: usize,
  plane: usize,
): void {
  const end = records + channels * RECORD;
  for (let record = records; record < end; record += RECORD) {
    if (load<T>(record, SHIFT) === 0) {
      if (sizeof<K>() === 2 || isSmall<T>(plane)) smallMoments<T, K>(b, stride, record, plane);
      else mediumMoments<T>(b, stride, record, plane);
    } else {
      for (let k: usize = 0; k < sizeof<K>(); k++) {
        planeSums<T, Off>(b + k * stride, record, plane);
      }
    }
    b += plane;
  }
}

/** Writes mean and M2 (float64) of `channels` channels over `samples` samples > 0. */
export function planeMoments<T>(
  mean: usize,
  m2: usize,
  x: usize,
  channels: usize,
  samples: usize,
  stride: usize,
  values: usize,
): void {
  const plane = values * sizeof<T>();
  const records = scratch(channels * RECORD);
  const zero = i64x2.splat(0);
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    const shift = shiftOf<T>(x + c * plane, samples, stride, plane);
    v128.store(record, v128.splat<T>(shift), SHIFT);
    v128.store(record, zero, SUM);
    v128.store(record, zero, SQUARES);
  }
  let n: usize = 0;
  if (isSmall<T>(plane) || isMedium<T>(plane)) {
    for (; n + 4 <= samples; n += 4) {
      smallPlanes<T, i32>(x + n * stride, stride, records, channels, plane);
    }
    if (isSmall<T>(plane) && n + 2 <= samples) {
      smallPlanes<T, i16>(x + n * stride, stride, records, channels, plane);
      n += 2;
    }
  }
  for (; n < samples; n++) {
    let at = x + n * stride;
    for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
      if (hasNear<T>() && load<T>(record, SHIFT) === 0) planeSums<T, On>(at, record, plane);
      else planeSums<T, Off>(at, record, plane);
      at += plane;
    }
  }
  const count = <f64>samples * <f64>values;
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    const first = x + c * plane;
    let sum = pairSum(record + SUM);
    let squares = pairSum(record + SQUARES);
    if (!sound<T>(count, sum, squares, MOST)) {
      // The sampled values misled: once more, from the mean that came out.
      const shift = <T>(<f64>load<T>(record, SHIFT) + sum / count);
      v128.store(record, v128.splat<T>(shift), SHIFT);
      v128.store(record, zero, SUM);
      v128.store(record, zero, SQUARES);
      for (n = 0; n < samples; n++) {
        planeSums<T, Off>(first + n * stride, record, plane);
      }
      sum = pairSum(record + SUM);
      squares = pairSum(record + SQUARES);
    }
    if (sound<T>(count, sum, squares, MOST)) {
      const delta = sum / count;
      store<f64>(mean + c * 8, <f64>load<T>(record, SHIFT) + delta);
      store<f64>(m2 + c * 8, squares - sum * delta);
    } else {
      exactMoments<T>(mean + c * 8, m2 + c * 8, first, samples, stride, plane);
    }
  }
}
