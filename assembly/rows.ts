/**
 * The layout that the row kernels share. They see `rows` rows, `stride` bytes apart, each
 * `channels` channels of `repeat` values: channels-last arrays and (N, C) have repeat 1 and a row
 * for each pixel, channels-first ones with small planes a row for each sample and repeat = plane.
 *
 * Every position of a row has its own sums and coefficients, in arrays {@link NEXT} bytes apart, so
 * that one pointer finds all of them and no plane has a tail. Rows go by fours, which read those
 * arrays once. Positions past the last are read (the heap pads its arrays), never used or written.
 */

import { Call } from './call';
import { putCoefficients } from './channel';
import { addTo, Off, on, promote, SIZE, storedBytes } from './lanes';
import { scratch } from './scratch';

/** Most bytes of the positions that are handled at a time. */
export const RUN: usize = 4096;

/** From one array of positions to the next. No whole pages: loads would wait for stores. */
export const NEXT: usize = 5120;

/** Bytes of all positions of a row that one turn of the loops covers. */
export const LINE: usize = 64;

/** Offset of the marks of markKinds: in the first array, past its positions. */
const KINDS: usize = 4352;

/** Bytes of rows that a second pass takes at once, the latest first: they are still cached. */
const CHUNK: usize = 128 << 10;

/** With this many fours and more, the rows that a shorter quarter leaves over cost nothing. */
const MANY: usize = 32;

/** Adjacent rows are taken as longer ones, up to about this many bytes. */
const SHORT: usize = 512;

/**
 * Fours of rows that float32 sums of one position run over before they are promoted to float64.
 * Half as many if a shift is subtracted, for the reason told at depthOf in lanes.ts.
 */
export function foursOfChain(near: bool): usize {
  return near ? 16 : 8;
}

/** Channels of one run: a multiple of 8 if there are that many. */
export function channelsOfRun(channels: usize, repeat: usize): usize {
  const fit = RUN / (repeat * SIZE);
  return min(channels, max(8, fit & ~7));
}

/**
 * Fours of `rows` rows: number i is the rows i of four quarters. The quarters are a row shorter if
 * whole pages would lie between them: otherwise all four rows, of all arrays, would fall on the
 * same places of the first-level cache.
 */
export function foursOf(rows: usize, stride: usize): usize {
  const fours = rows >> 2;
  return fours > MANY && ((fours * stride) & 4095) === 0 ? fours - 1 : fours;
}

/** Fours of one chunk of a second pass. */
export function foursOfChunk(stride: usize): usize {
  return max(1, CHUNK / (4 * stride));
}

/**
 * Number of rows that are taken as one, if they are adjacent and short. A multiple of 4 if
 * possible, so that these longer rows are whole vectors.
 */
export function foldOf(rows: usize, stride: usize, width: usize, repeat: usize): usize {
  if (repeat !== 1 || stride !== storedBytes(width)) return 1;
  const fold = min(SHORT / width, rows >> 2);
  return fold > 4 ? fold & ~3 : max(1, fold);
}

/** Repeats the first `width` bytes of each of `arrays` arrays until there are `fold` times as many. */
export function foldArrays(start: usize, arrays: usize, width: usize, fold: usize): void {
  const whole = width * fold;
  for (; arrays > 0; arrays--, start += NEXT) {
    for (let there = width; there < whole; ) {
      const more = min(there, whole - there);
      memory.copy(start + there, start, more);
      there += more;
    }
  }
}

/**
 * Writes `value` to all positions of a channel. Writes up to 15 bytes past them: callers go
 * through the channels in rising order.
 */
export function spread(target: usize, channel: usize, repeat: usize, value: T): void {
  if (repeat === 1) {
    store<T>(target + channel * SIZE, value);
    return;
  }
  const start = target + channel * repeat * SIZE;
  const end = start + repeat * SIZE;
  const v = v128.splat<T>(value);
  for (let p = start; p < end; p += 16) v128.store(p, v);
}

/** Returns memory for the coefficients of all positions, of runs of up to `channels` channels. */
export function coefficientArrays(channels: usize): usize {
  // After them each channel's own.
  return scratch(4 * NEXT + 4 * (channels + 1) * SIZE);
}

/** Writes the coefficients (see putCoefficients) of a run of channels to all its positions. */
export function putPositions<Gradient>(
  call: Call,
  first: usize,
  channels: usize,
  arrays: usize,
): void {
  const repeat = call.values;
  if (repeat === 1) {
    putCoefficients<Gradient>(call, first, channels, arrays, NEXT);
    return;
  }
  const numbers = arrays + 4 * NEXT;
  const gap = (channels + 1) * SIZE;
  putCoefficients<Gradient>(call, first, channels, numbers, gap);
  for (let c: usize = 0, p = numbers; c < channels; c++, p += SIZE) {
    for (let i: usize = 0; i < (on<Gradient>() ? 4 : 3); i++) {
      spread(arrays + i * NEXT, c, repeat, load<T>(p + i * gap));
    }
  }
}

/**
 * Cuts a row into runs of lines where all shifts (or centers) are 0 and need no subtraction, and
 * runs where they are not. Writes for every line the end of its run in bytes, plus 1 if the run is
 * of the first kind. Returns true if all lines are of the first kind.
 */
export function markKinds(arrays: usize, shifts: usize, width: usize): bool {
  const whole = (width + LINE - 1) & ~(LINE - 1);
  let next = whole + 1;
  for (let p = whole; p > 0; p -= LINE) {
    const at = shifts + p - LINE;
    const a = v128.or(v128.load(at, 0), v128.load(at, 16));
    const b = v128.or(v128.load(at, 32), v128.load(at, 48));
    const zero: usize = v128.any_true(v128.or(a, b)) ? 0 : 1;
    if ((next & 1) !== zero) next = p + zero;
    store<u32>(arrays + (p >> 4), <u32>next, KINDS - 4);
  }
  return next === whole + 1;
}

/** Reads the mark of the line at `p` bytes. */
export function kindAt(arrays: usize, p: usize): usize {
  return load<u32>(arrays + (p >> 4), KINDS);
}

/** Adds the sums of all positions to the float64 sums of their channels. */
export function gather(
  target: usize,
  sums: usize,
  channels: usize,
  repeat: usize,
  fold: usize,
): void {
  if (repeat === 1) {
    for (; fold > 0; fold--, sums += channels * SIZE) gatherRow<Off>(target, sums, channels);
    return;
  }
  const bytes = repeat * SIZE;
  for (let c: usize = 0, start = sums; c < channels; c++, start += bytes) {
    let v = i64x2.splat(0);
    let p = start;
    // Four vectors at a time: promotion costs more than sums.
    for (const fours = start + (bytes & ~63); p < fours; p += 64) {
      const a = v128.add<T>(v128.load(p, 0), v128.load(p, 16));
      const b = v128.add<T>(v128.load(p, 32), v128.load(p, 48));
      v = f64x2.add(v, promote(v128.add<T>(a, b)));
    }
    for (const whole = start + (bytes & ~15); p < whole; ) {
      v = f64x2.add(v, promote(v128.load(p)));
      p += 16;
    }
    let sum = load<f64>(target + c * 8) + f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
    for (const end = start + bytes; p < end; p += SIZE) sum += <f64>load<T>(p);
    store<f64>(target + c * 8, sum);
  }
}

/** Adds two float64 to those at `p`, or writes them. */
function putTo<New>(p: usize, v: v128): void {
  if (on<New>()) v128.store(p, v);
  else addTo(p, v);
}

/** Adds the sums of a row whose positions are channels, or writes them (New). */
export function gatherRow<New>(target: usize, sums: usize, channels: usize): void {
  const perVector = 16 / SIZE;
  const end = sums + (channels & ~(perVector - 1)) * SIZE;
  for (; sums < end; sums += 16) {
    const v = v128.load(sums);
    putTo<New>(target, sizeof<T>() === 8 ? v : f64x2.promote_low_f32x4(v));
    if (sizeof<T>() === 4) {
      putTo<New>(target + 16, f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0)));
    }
    target += perVector * 8;
  }
  for (let c = channels & (perVector - 1); c > 0; c--) {
    store<f64>(target, (on<New>() ? 0 : load<f64>(target)) + <f64>load<T>(sums));
    target += 8;
    sums += SIZE;
  }
}
