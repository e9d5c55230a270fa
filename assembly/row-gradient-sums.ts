/** Stage `gradient-sums` by rows: see rows.ts for what a row is, row-moments.ts for the loops. */

import { exactGradientSums, gradientShiftOf } from './channel';
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
import { sumOf } from './small';

/** Where the arrays of positions lie, and behind them the channels' sums. */
const SUMS: usize = 0;
const PRODUCTS: usize = NEXT;
const SHIFT: usize = 2 * NEXT;
const TOTALS: usize = 3 * NEXT;

/** Adds dy and dy * (x - shift) of one vector of four rows to the sums of its positions. */
function addVectors<T, Near>(
  at: usize,
  g0: v128,
  x0: v128,
  g1: v128,
  x1: v128,
  g2: v128,
  x2: v128,
  g3: v128,
  x3: v128,
): void {
  const shift = on<Near>() ? x0 : v128.load(at, SHIFT);
  const low = madd<T>(differ<T, Near>(x0, shift), g0, v128.mul<T>(differ<T, Near>(x1, shift), g1));
  const high = madd<T>(differ<T, Near>(x2, shift), g2, v128.mul<T>(differ<T, Near>(x3, shift), g3));
  const products = v128.add<T>(low, high);
  v128.store(at, v128.add<T>(v128.load(at, SUMS), sumOf<T, i32>(g0, g1, g2, g3)), SUMS);
  v128.store(at, v128.add<T>(v128.load(at, PRODUCTS), products), PRODUCTS);
}

/** The same for the lines from `from` to `to` of four rows, `gap` bytes apart. */
function addLines<T, Near>(
  arrays: usize,
  dy: usize,
  x: usize,
  gap: usize,
  from: usize,
  to: usize,
): void {
  const dy1 = dy + gap;
  const dy2 = dy1 + gap;
  const dy3 = dy2 + gap;
  const x1 = x + gap;
  const x2 = x1 + gap;
  const x3 = x2 + gap;
  for (let p = from; p < to; p += LINE) {
    const at = arrays + p;
    const a = dy + p;
    const b = dy1 + p;
    const c = dy2 + p;
    const d = dy3 + p;
    const q = x + p;
    const r = x1 + p;
    const s = x2 + p;
    const t = x3 + p;
    addVectors<T, Near>(
      at,
      v128.load(a),
      v128.load(q),
      v128.load(b),
      v128.load(r),
      v128.load(c),
      v128.load(s),
      v128.load(d),
      v128.load(t),
    );
    addVectors<T, Near>(
      at + 16,
      v128.load(a, 16),
      v128.load(q, 16),
      v128.load(b, 16),
      v128.load(r, 16),
      v128.load(c, 16),
      v128.load(s, 16),
      v128.load(d, 16),
      v128.load(t, 16),
    );
    addVectors<T, Near>(
      at + 32,
      v128.load(a, 32),
      v128.load(q, 32),
      v128.load(b, 32),
      v128.load(r, 32),
      v128.load(c, 32),
      v128.load(s, 32),
      v128.load(d, 32),
      v128.load(t, 32),
    );
    addVectors<T, Near>(
      at + 48,
      v128.load(a, 48),
      v128.load(q, 48),
      v128.load(b, 48),
      v128.load(r, 48),
      v128.load(c, 48),
      v128.load(s, 48),
      v128.load(d, 48),
      v128.load(t, 48),
    );
  }
}

/** The same for all positions of four rows. */
function addFour<T>(arrays: usize, dy: usize, x: usize, gap: usize, width: usize): void {
  if (!hasNear<T>()) {
    addLines<T, Off>(arrays, dy, x, gap, 0, width);
    return;
  }
  for (let p: usize = 0; p < width; ) {
    const kind = kindAt(arrays, p);
    const end = min(kind & ~1, width);
    if (kind & 1) addLines<T, On>(arrays, dy, x, gap, p, end);
    else addLines<T, Off>(arrays, dy, x, gap, p, end);
    p = end;
  }
}

/** The same for one row. */
function addOne<T>(arrays: usize, dy: usize, x: usize, width: usize): void {
  const end = arrays + width;
  for (let at = arrays; at < end; at += 16, dy += 16, x += 16) {
    const g = v128.load(dy);
    const d = v128.sub<T>(v128.load(x), v128.load(at, SHIFT));
    v128.store(at, v128.add<T>(v128.load(at, SUMS), g), SUMS);
    v128.store(at, madd<T>(d, g, v128.load(at, PRODUCTS)), PRODUCTS);
  }
}

/** Two or four of the channels' float64 numbers, as T. */
function narrow<T>(p: usize): v128 {
  const low = v128.load(p);
  if (sizeof<T>() === 8) return low;
  const high = f32x4.demote_f64x2_zero(v128.load(p, 16));
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), high, 0, 2);
}

/** gradientShiftOf of every position of a row whose positions are channels. */
function shiftRows<T>(
  shift: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  rows: usize,
  stride: usize,
  width: usize,
): void {
  const perVector = 16 / sizeof<T>();
  for (let p: usize = 0; p < width; p += 16) {
    const m = narrow<T>(mean);
    const far = v128.abs<T>(v128.mul<T>(m, narrow<T>(invstd)));
    let most = v128.splat<T>(0);
    for (let i: usize = 0; i < 4; i++) {
      const value = v128.load(x + p + ((i * rows) >> 2) * stride);
      most = v128.max<T>(most, v128.abs<T>(v128.sub<T>(value, m)));
    }
    const near = v128.and(
      v128.le<T>(far, v128.splat<T>(2)),
      v128.le<T>(v128.abs<T>(m), v128.mul<T>(most, v128.splat<T>(4))),
    );
    v128.store(shift + p, v128.andnot(m, near));
    mean += perVector * 8;
    invstd += perVector * 8;
  }
}

/** Adds the sums of `rows` rows to the totals; `fold` rows at a time are one. */
function sumPart<T>(
  arrays: usize,
  dy: usize,
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
    memory.fill(arrays + PRODUCTS, 0, width);
    const part = min(chain, fours);
    fours -= part;
    for (let i: usize = 0; i < part; i++, dy += stride, x += stride)
      addFour<T>(arrays, dy, x, gap, width);
    if (fours === 0) {
      // The rows behind the four quarters.
      for (let r: usize = 0, at = 3 * gap; r < rest; r++, at += stride) {
        addOne<T>(arrays, dy + at, x + at, width);
      }
    }
    gather<T>(arrays + TOTALS, arrays + SUMS, channels, repeat, fold);
    gather<T>(arrays + TOTALS + 8 * channels, arrays + PRODUCTS, channels, repeat, fold);
  } while (fours > 0);
}

/**
 * Writes sum(dy) and sum(dy * xhat) (float64) of `channels` channels. dy, x: aligned to T, `rows`
 * rows > 0, `stride` bytes apart; `repeat` values of each channel side by side.
 */
export function rowGradientSums<T>(
  sumDy: usize,
  sumDyXhat: usize,
  dy: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  repeat: usize,
): void {
  const bytes = repeat * sizeof<T>();
  const run = channelsOfRun<T>(channels, repeat);
  const arrays = scratch(TOTALS + 16 * run);
  const shift = arrays + SHIFT;
  const total = arrays + TOTALS;
  for (let from: usize = 0; from < channels; from += run) {
    const k = min(run, channels - from);
    const start = from * bytes;
    const width = k * bytes;
    const means = mean + from * 8;
    const deviations = invstd + from * 8;
    if (repeat === 1) {
      shiftRows<T>(shift, x + start, means, deviations, rows, stride, width);
    } else {
      for (let c: usize = 0; c < k; c++) {
        const m = load<f64>(means + c * 8);
        const s = load<f64>(deviations + c * 8);
        const value = gradientShiftOf<T>(x + start + c * bytes, rows, stride, bytes, m, s);
        spread<T>(shift, c, repeat, value);
      }
    }
    const fold = foldOf(rows, stride, width, repeat);
    const whole = rows - (rows % fold);
    foldArrays(shift, 1, width, fold);
    const near = markKinds(arrays, shift, width * fold);
    memory.fill(total, 0, 16 * k);
    sumPart<T>(arrays, dy + start, x + start, k, rows / fold, stride * fold, repeat, fold, near);
    if (whole < rows) {
      const at = start + whole * stride;
      sumPart<T>(arrays, dy + at, x + at, k, rows - whole, stride, repeat, 1, near);
    }
    for (let c: usize = 0; c < k; c++) {
      const m = load<f64>(means + c * 8);
      const s = load<f64>(deviations + c * 8);
      const sum = load<f64>(total + c * 8);
      const lost = m - <f64>load<T>(shift + c * bytes);
      const product = load<f64>(total + (k + c) * 8) - lost * sum;
      const sumAt = sumDy + (from + c) * 8;
      const productAt = sumDyXhat + (from + c) * 8;
      store<f64>(sumAt, sum);
      store<f64>(productAt, product * s);
      // Past what float32 holds: once more in float64.
      if (!(abs(product) < Infinity)) {
        const at = start + c * bytes;
        exactGradientSums<T>(sumAt, productAt, dy + at, x + at, m, s, rows, stride, bytes);
      }
    }
  }
}
