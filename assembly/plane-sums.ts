/**
 * Stages `moments` and `gradient-sums` over channels-first planes of 16 bytes and more: sums of
 * d = x - shift and of d * d, or of dy and of dy * d. Gradient: `gradient-sums`.
 *
 * Plane c of sample n is the run of `plane` bytes at x + c * plane + n * stride. Planes are visited
 * in memory's order, since runs shorter than some 20 KB defeat the hardware's prefetching.
 */

import { Call } from './call';
import {
  put,
  putExactMoments,
  putGradientSums,
  putTwoGradientSums,
  putTwoMoments,
  shiftOf,
  sound,
} from './channel';
import { hasNear, Off, On, on, pairSum, pairSums, STORED, TURN, WIDTH, wideTwo } from './lanes';
import {
  begin,
  besides,
  CHAIN,
  PRODUCTS,
  planeSums,
  RECORD,
  SHIFT,
  SUM,
  smallSums,
} from './plane-loops';
import { scratch } from './scratch';

/** Bound of `sound`: the error of chains of depthOf turns then leaves M2 within 1e-6. */
const MOST: f64 = 1.5625;

/** Bytes of a plane that are summed before those of the next sample, of several side by side. */
const RUN: usize = 24 * TURN;

/**
 * True if planes are too short for a loop of their own, shorter than one chain: then several
 * samples go at once, channel by channel. Only float32, whose code is worth its size.
 */
function isSmall(plane: usize): bool {
  return sizeof<T>() === 4 && plane < CHAIN;
}

/** True if moments of four planes at once, chain by chain, are faster than each by itself. */
function isMedium(plane: usize): bool {
  return sizeof<T>() === 4 && plane < 64 * WIDTH && (plane & (WIDTH - 1)) === 0;
}

/** Sums the planes of K samples from byte `at` on, channel by channel. */
function smallPlanes<Gradient, K>(call: Call, at: usize, records: usize, plane: usize): void {
  const stride = call.stride;
  const end = records + call.channels * RECORD;
  let dy = on<Gradient>() ? call.dy + at : 0;
  let x = call.x + at;
  const first = x;
  for (let record = records; record < end; record += RECORD) {
    if (load<T>(record, SHIFT) !== 0) {
      for (let k: usize = 0; k < sizeof<K>(); k++) {
        planeSums<Gradient, Off, Off>(dy + k * stride, x + k * stride, record, plane);
      }
    } else {
      smallSums<Gradient, K>(dy, x, (x - first) & (WIDTH - 1), stride, record, plane);
    }
    dy += plane;
    x += plane;
  }
}

/** Sums all planes; returns the channels' records. */
function sumPlanes<Gradient>(call: Call): usize {
  const plane = call.values * STORED;
  const samples = call.rows;
  const stride = call.stride;
  const records = scratch(call.channels * RECORD);
  const end = records + call.channels * RECORD;
  for (let c: usize = 0, record = records; record < end; c++, record += RECORD) {
    begin(record, shiftOf<Gradient>(call, c, call.x + c * plane, plane));
  }
  let n: usize = 0;
  if (isSmall(plane) || (!on<Gradient>() && isMedium(plane))) {
    for (; n + 4 <= samples; n += 4) smallPlanes<Gradient, i32>(call, n * stride, records, plane);
    if (isSmall(plane) && n + 2 <= samples) {
      smallPlanes<Gradient, i16>(call, n * stride, records, plane);
      n += 2;
    }
  }
  const most = besides(samples, stride);
  const run = most > 1 ? RUN : plane;
  while (n < samples) {
    const several = min(samples - n, most);
    const past = several * stride;
    let dy = on<Gradient>() ? call.dy + n * stride : 0;
    let x = call.x + n * stride;
    for (let record = records; record < end; record += RECORD) {
      const isNear = hasNear() && load<T>(record, SHIFT) === 0;
      for (const next = x + plane; x < next; ) {
        const bytes = min(run, next - x);
        for (let k: usize = 0; k < past; k += stride) {
          if (isNear) planeSums<Gradient, On, Off>(dy + k, x + k, record, bytes);
          else planeSums<Gradient, Off, Off>(dy + k, x + k, record, bytes);
        }
        x += bytes;
        if (on<Gradient>()) dy += bytes;
      }
    }
    n += several;
  }
  return records;
}

/** Writes mean and M2 of a channel, whose first plane is at `x`. */
function putPlane(call: Call, channel: usize, record: usize, x: usize, count: f64): void {
  let sum = pairSum(record + SUM);
  let squares = pairSum(record + PRODUCTS);
  if (!sound(count, sum, squares, load<T>(record, SHIFT), MOST)) {
    // The sampled values misled: once more, from the resulting mean.
    begin(record, <T>(<f64>load<T>(record, SHIFT) + sum / count));
    for (let n: usize = 0, at = x; n < call.rows; n++, at += call.stride) {
      planeSums<Off, Off, Off>(0, at, record, call.values * STORED);
    }
    sum = pairSum(record + SUM);
    squares = pairSum(record + PRODUCTS);
  }
  if (sound(count, sum, squares, load<T>(record, SHIFT), MOST)) {
    const delta = sum * (1 / count);
    put(call, channel, <f64>load<T>(record, SHIFT) + delta, squares - sum * delta);
  } else {
    putExactMoments(call, channel, x);
  }
}

/** Writes mean and M2 of each channel. */
export function planeMoments(call: Call): void {
  const plane = call.values * STORED;
  const channels = call.channels;
  const count = <f64>call.rows * <f64>call.values;
  const share = 1 / count;
  let record = sumPlanes<Off>(call);
  for (let c: usize = 0; c < channels; c += 2, record += 2 * RECORD) {
    const other = record + RECORD;
    if (c + 1 < channels) {
      const sums = pairSums(record + SUM, other + SUM);
      const squares = pairSums(record + PRODUCTS, other + PRODUCTS);
      const shifts = wideTwo(record + SHIFT, other + SHIFT);
      if (putTwoMoments(call, c, sums, squares, shifts, count, share, MOST)) continue;
    }
    for (let i = c, own = record; i < min(c + 2, channels); i++, own += RECORD) {
      putPlane(call, i, own, call.x + i * plane, count);
    }
  }
}

/** Writes sum(dy) and sum(dy * xhat) of each channel. */
export function planeGradientSums(call: Call): void {
  const plane = call.values * STORED;
  const channels = call.channels;
  let record = sumPlanes<On>(call);
  for (let c: usize = 0; c < channels; c += 2, record += 2 * RECORD) {
    const other = record + RECORD;
    if (c + 1 < channels) {
      const sums = pairSums(record + SUM, other + SUM);
      const products = pairSums(record + PRODUCTS, other + PRODUCTS);
      if (putTwoGradientSums(call, c, wideTwo(record + SHIFT, other + SHIFT), sums, products))
        continue;
    }
    for (let i = c, own = record; i < min(c + 2, channels); i++, own += RECORD) {
      const products = pairSum(own + PRODUCTS);
      putGradientSums(call, i, i * plane, load<T>(own, SHIFT), pairSum(own + SUM), products);
    }
  }
}
