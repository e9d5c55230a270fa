/**
 * What the row kernels share. They see `rows` rows, `stride` bytes apart, each `channels` channels
 * of `repeat` values: channels-last arrays and (N, C) have repeat 1 and a row for each pixel,
 * channels-first ones with small planes a row for each sample and repeat = plane.
 *
 * Every position of a row has its own sums, so that no plane has a tail. Positions past the last
 * vector are read (the heap pads its arrays) but never used or written.
 */

import { addTo, promote } from './lanes';

/**
 * Rows that float32 sums of one position run over before they are promoted to float64; they are
 * added by fours. Half where a shift is subtracted, for the reason told at depthOf in lanes.ts.
 */
export function rowsOfChain(near: bool): usize {
  return near ? 64 : 32;
}

/** Values of a run, about: its sums stay in the first-level cache. */
const RUN: usize = 800;

/** Bytes of rows that a second pass takes at once, the latest first: they are still cached. */
const CHUNK: usize = 128 << 10;

/**
 * Channels of one run: all where a channel is one value (strips of them lose 2 to 6 times),
 * else about 800 values, a multiple of 8 channels where there are that many.
 */
export function channelsOfRun(channels: usize, repeat: usize): usize {
  if (repeat === 1) return channels;
  const fit = RUN / repeat;
  return min(channels, max(8, fit & ~7));
}

/** Rows of one chunk of a second pass: a multiple of 4. */
export function rowsOfChunk(stride: usize): usize {
  return max(4, (CHUNK / stride) & ~3);
}

/** Arrays larger than this stream from DRAM, where prefetching wants nearly sequential reads. */
const CACHED: usize = 12 << 20;

/**
 * Rows of a strip of 64 bytes that is gone down while its coefficients stay in registers: 16,
 * fewer where rows are so far apart that they fall on the same places of the first-level cache,
 * and where `rows` rows are more than the caches hold.
 */
export function rowsOfStrip(rows: usize, stride: usize): usize {
  const most: usize = rows * stride > CACHED ? 4 : 16;
  return max(2, min(most, 16384 / stride));
}

/**
 * Rows of a strip of 32 bytes that is gone down while its sums stay in registers: 16, fewer where
 * rows fall on the same places of the first-level cache, and where they come from DRAM.
 */
export function rowsOfSums(rows: usize, stride: usize): usize {
  if (rows * stride > CACHED) return 4;
  return stride >= 4096 ? 8 : 16;
}

/** Bytes of an array with `count` values of T, its last vector whole, 16-byte aligned. */
export function arrayBytes<T>(count: usize): usize {
  return (count * sizeof<T>() + 79) & ~15;
}

/**
 * Writes `value` to all positions of a channel. Writes up to 15 bytes past them: callers go
 * through the channels upwards.
 */
export function spread<T>(target: usize, channel: usize, repeat: usize, value: T): void {
  if (repeat === 1) {
    store<T>(target + channel * sizeof<T>(), value);
    return;
  }
  const start = target + channel * repeat * sizeof<T>();
  const end = start + repeat * sizeof<T>();
  const v = v128.splat<T>(value);
  for (let p = start; p < end; p += 16) v128.store(p, v);
}

/** Puts two vectors of sums at `p`, or adds them to those that are there. */
export function putSums<T>(p: usize, fresh: bool, a: v128, b: v128): void {
  if (!fresh) {
    a = v128.add<T>(v128.load(p, 0), a);
    b = v128.add<T>(v128.load(p, 16), b);
  }
  v128.store(p, a, 0);
  v128.store(p, b, 16);
}

/** Whether all lanes of two vectors of shifts are 0. */
export function bothZero(a: v128, b: v128): bool {
  return !v128.any_true(v128.or(a, b));
}

/** Adds the sums of all positions to the float64 sums of their channels. */
export function gather<T>(target: usize, sums: usize, channels: usize, repeat: usize): void {
  const size: usize = sizeof<T>();
  if (repeat === 1) {
    const perVector = 16 / size;
    const end = sums + (channels & ~(perVector - 1)) * size;
    for (; sums < end; sums += 16) {
      const v = v128.load(sums);
      addTo(target, sizeof<T>() === 8 ? v : f64x2.promote_low_f32x4(v));
      if (sizeof<T>() === 4) {
        addTo(target + 16, f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0)));
      }
      target += perVector * 8;
    }
    for (let c = channels & (perVector - 1); c > 0; c--) {
      store<f64>(target, load<f64>(target) + <f64>load<T>(sums));
      target += 8;
      sums += size;
    }
    return;
  }
  const bytes = repeat * size;
  for (let c: usize = 0, start = sums; c < channels; c++, start += bytes) {
    let v = i64x2.splat(0);
    let p = start;
    // Four vectors at a time: promotion costs more than sums.
    for (const fours = start + (bytes & ~63); p < fours; p += 64) {
      const a = v128.add<T>(v128.load(p, 0), v128.load(p, 16));
      const b = v128.add<T>(v128.load(p, 32), v128.load(p, 48));
      v = f64x2.add(v, promote<T>(v128.add<T>(a, b)));
    }
    for (const whole = start + (bytes & ~15); p < whole; ) {
      v = f64x2.add(v, promote<T>(v128.load(p)));
      p += 16;
    }
    let sum = load<f64>(target + c * 8) + f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
    for (const end = start + bytes; p < end; p += size) sum += <f64>load<T>(p);
    store<f64>(target + c * 8, sum);
  }
}
