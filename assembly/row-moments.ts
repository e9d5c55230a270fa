/** Stage `moments` by rows: see rows.ts for what a row is, plane-moments.ts for the arithmetic. */

import { exactMoments, shiftOf, sound } from './channel';
import { differ, hasNear, madd, Off, On, on } from './lanes';
import {
  channelsOfRun,
  foldArrays,
  foldOf,
  foursOf,
  foursOfChain,
  gather,
  kindAt,
  LINE,
  markKinds,
  NEXT,
  spread,
} from './rows';
import { scratch } from './scratch';
import { squareOf, sumOf } from './small';

/** Where the arrays of positions lie, and behind them the channels' sums. */
const SUMS: usize = 0;
const SQUARES: usize = NEXT;
const SHIFT: usize = 2 * NEXT;
const TOTALS: usize = 3 * NEXT;

/** Of `sound`: chains of 16 turns are off by 3e-7 at worst. */
const MOST: f64 = 2.25;

/** Adds x - shift and its square of one vector of four rows to the sums of its positions. */
function addVectors<T, Near>(at: usize, p0: usize, p1: usize, p2: usize, p3: usize): void {
  const shift = on<Near>() ? i64x2.splat(0) : v128.load(at, SHIFT);
  const x0 = differ<T, Near>(v128.load(p0), shift);
  const x1 = differ<T, Near>(v128.load(p1), shift);
  const x2 = differ<T, Near>(v128.load(p2), shift);
  const x3 = differ<T, Near>(v128.load(p3), shift);
  v128.store(at, v128.add<T>(v128.load(at, SUMS), sumOf<T, i32>(x0, x1, x2, x3)), SUMS);
  v128.store(at, v128.add<T>(v128.load(at, SQUARES), squareOf<T, i32>(x0, x1, x2, x3)), SQUARES);
}

/** The same for the lines from `from` to `to` of four rows, `gap` bytes apart. */
function addLines<T, Near>(arrays: usize, x: usize, gap: usize, from: usize, to: usize): void {
  const x1 = x + gap;
  const x2 = x1 + gap;
  const x3 = x2 + gap;
  for (let p = from; p < to; p += LINE) {
    const at = arrays + p;
    const p0 = x + p;
    const p1 = x1 + p;
    const p2 = x2 + p;
    const p3 = x3 + p;
    addVectors<T, Near>(at, p0, p1, p2, p3);
    addVectors<T, Near>(at + 16, p0 + 16, p1 + 16, p2 + 16, p3 + 16);
    addVectors<T, Near>(at + 32, p0 + 32, p1 + 32, p2 + 32, p3 + 32);
    addVectors<T, Near>(at + 48, p0 + 48, p1 + 48, p2 + 48, p3 + 48);
  }
}

/** The same for all positions of four rows. */
function addFour<T>(arrays: usize, x: usize, gap: usize, width: usize): void {
  if (!hasNear<T>()) {
    addLines<T, Off>(arrays, x, gap, 0, width);
    return;
  }
  for (let p: usize = 0; p < width; ) {
    const kind = kindAt(arrays, p);
    const end = min(kind & ~1, width);
    if (kind & 1) addLines<T, On>(arrays, x, gap, p, end);
    else addLines<T, Off>(arrays, x, gap, p, end);
    p = end;
  }
}

/** The same for one row. */
function addOne<T>(arrays: usize, x: usize, width: usize): void {
  const end = arrays + width;
  for (let at = arrays; at < end; at += 16, x += 16) {
    const d = v128.sub<T>(v128.load(x), v128.load(at, SHIFT));
    v128.store(at, v128.add<T>(v128.load(at, SUMS), d), SUMS);
    v128.store(at, madd<T>(d, d, v128.load(at, SQUARES)), SQUARES);
  }
}

/** Puts shiftOf of one vector of positions, from the sum and the bounds of 16 of `rows` rows. */
function putShift<T>(at: usize, sum: v128, low: v128, high: v128, rows: usize): void {
  let mean = v128.mul<T>(sum, v128.splat<T>(<T>0.0625));
  // About 1.7 standard deviations, a little more than MOST has: see shiftOf.
  const most = v128.mul<T>(v128.sub<T>(high, low), v128.splat<T>(<T>0.5));
  // As shiftOf: nothing is near where the values are few.
  if (rows >= 64) mean = v128.andnot(mean, v128.le<T>(v128.abs<T>(mean), most));
  v128.store(at, mean);
}

/**
 * shiftOf of every position of a row, from sixteen rows. Line by line: rows whole pages apart push
 * each other out of the first-level cache.
 */
function shiftRows<T>(shift: usize, x: usize, rows: usize, stride: usize, width: usize): void {
  const end = shift + width;
  for (; shift < end; shift += LINE, x += LINE) {
    let s0 = v128.load(x);
    let s1 = v128.load(x, 16);
    let s2 = v128.load(x, 32);
    let s3 = v128.load(x, 48);
    let l0 = s0;
    let l1 = s1;
    let l2 = s2;
    let l3 = s3;
    let h0 = s0;
    let h1 = s1;
    let h2 = s2;
    let h3 = s3;
    for (let i: usize = 1; i < 16; i++) {
      const row = x + ((i * rows) >> 4) * stride;
      const a = v128.load(row);
      const b = v128.load(row, 16);
      const c = v128.load(row, 32);
      const d = v128.load(row, 48);
      s0 = v128.add<T>(s0, a);
      s1 = v128.add<T>(s1, b);
      s2 = v128.add<T>(s2, c);
      s3 = v128.add<T>(s3, d);
      l0 = v128.pmin<T>(l0, a);
      l1 = v128.pmin<T>(l1, b);
      l2 = v128.pmin<T>(l2, c);
      l3 = v128.pmin<T>(l3, d);
      h0 = v128.pmax<T>(h0, a);
      h1 = v128.pmax<T>(h1, b);
      h2 = v128.pmax<T>(h2, c);
      h3 = v128.pmax<T>(h3, d);
    }
    putShift<T>(shift, s0, l0, h0, rows);
    putShift<T>(shift + 16, s1, l1, h1, rows);
    putShift<T>(shift + 32, s2, l2, h2, rows);
    putShift<T>(shift + 48, s3, l3, h3, rows);
  }
}

/** Adds the sums of `rows` rows to the totals; `fold` rows at a time are one. */
function sumPart<T>(
  arrays: usize,
  x: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  repeat: usize,
  fold: usize,
  near: bool,
): void {
  const width = channels * repeat * sizeof<T>() * fold;
  const chain = foursOfChain(near);
  let fours = foursOf(rows, stride);
  const gap = fours * stride;
  const rest = rows - 4 * fours;
  do {
    memory.fill(arrays + SUMS, 0, width);
    memory.fill(arrays + SQUARES, 0, width);
    const part = min(chain, fours);
    fours -= part;
    for (let i: usize = 0; i < part; i++, x += stride) addFour<T>(arrays, x, gap, width);
    if (fours === 0) {
      // The rows behind the four quarters.
      for (let r: usize = 0, at = x + 3 * gap; r < rest; r++, at += stride) {
        addOne<T>(arrays, at, width);
      }
    }
    gather<T>(arrays + TOTALS, arrays + SUMS, channels, repeat, fold);
    gather<T>(arrays + TOTALS + 8 * channels, arrays + SQUARES, channels, repeat, fold);
  } while (fours > 0);
}

/** Writes the sums of all channels of a run to the totals; the shifts are there. */
function sumRun<T>(
  arrays: usize,
  x: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  repeat: usize,
): void {
  const width = channels * repeat * sizeof<T>();
  const fold = foldOf(rows, stride, width, repeat);
  const rest = rows % fold;
  foldArrays(arrays + SHIFT, 1, width, fold);
  const near = markKinds(arrays, arrays + SHIFT, width * fold);
  memory.fill(arrays + TOTALS, 0, 16 * channels);
  sumPart<T>(arrays, x, channels, rows / fold, stride * fold, repeat, fold, near);
  x += (rows - rest) * stride;
  if (rest > 0) sumPart<T>(arrays, x, channels, rest, stride, repeat, 1, near);
}

/**
 * Writes mean and M2 (float64) of `channels` channels. x: aligned to T, `rows` rows > 0, `stride`
 * bytes apart; `repeat` values of each channel side by side.
 */
export function rowMoments<T>(
  mean: usize,
  m2: usize,
  x: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  repeat: usize,
): void {
  const bytes = repeat * sizeof<T>();
  const run = channelsOfRun<T>(channels, repeat);
  const arrays = scratch(TOTALS + 16 * run);
  const count = <f64>rows * <f64>repeat;
  const share = 1 / count;
  for (let from: usize = 0; from < channels; from += run) {
    const k = min(run, channels - from);
    const start = x + from * bytes;
    const shift = arrays + SHIFT;
    const total = arrays + TOTALS;
    const totalSquares = total + 8 * k;
    if (repeat === 1) {
      shiftRows<T>(shift, start, rows, stride, k * bytes);
    } else {
      for (let c: usize = 0; c < k; c++) {
        spread<T>(shift, c, repeat, shiftOf<T>(start + c * bytes, rows, stride, bytes));
      }
    }
    for (let attempt = 0; attempt < 2; attempt++) {
      sumRun<T>(arrays, start, k, rows, stride, repeat);
      let good = true;
      for (let c: usize = 0; c < k; c++) {
        const sum = load<f64>(total + c * 8);
        const squares = load<f64>(totalSquares + c * 8);
        const meanAt = mean + (from + c) * 8;
        const m2At = m2 + (from + c) * 8;
        if (sound<T>(count, sum, squares, MOST)) {
          const delta = sum * share;
          store<f64>(meanAt, <f64>load<T>(shift + c * bytes) + delta);
          store<f64>(m2At, squares - sum * delta);
        } else if (attempt === 0) {
          good = false;
        } else {
          exactMoments<T>(meanAt, m2At, start + c * bytes, rows, stride, bytes);
        }
      }
      if (good) break;
      // The sampled values misled: once more, from the means that came out.
      for (let c: usize = 0; c < k; c++) {
        const value = <f64>load<T>(shift + c * bytes) + load<f64>(total + c * 8) * share;
        spread<T>(shift, c, repeat, <T>value);
      }
    }
  }
}
