/**
 * Sums by rows, for row-stages.ts: see rows.ts for what a row is, plane-loops.ts for the arithmetic.
 * Gradient: `gradient-sums`.
 */

import { Call } from './call';
import { isHalf } from './half';
import {
  differ,
  hasNear,
  load0,
  load1,
  madd,
  Off,
  On,
  on,
  productOf,
  SIZE,
  STORED,
  storedBytes,
  sumOf,
  WIDTH,
} from './lanes';
import {
  foldArrays,
  foldOf,
  foursOf,
  foursOfChain,
  gather,
  kindAt,
  LINE,
  markKinds,
  NEXT,
} from './rows';

/** Offsets of the arrays of positions, and of the channels' sums after them. */
export const SUMS: usize = 0;
export const PRODUCTS: usize = NEXT;
export const SHIFT: usize = 2 * NEXT;
export const TOTALS: usize = 3 * NEXT;

/** Adds one vector of four rows, x at p and dy at g, to the sums of its positions. */
function addVectors<Gradient, Near>(
  at: usize,
  p0: usize,
  p1: usize,
  p2: usize,
  p3: usize,
  g0: usize,
  g1: usize,
  g2: usize,
  g3: usize,
): void {
  const shift = on<Near>() ? i64x2.splat(0) : v128.load(at, SHIFT);
  const d0 = differ<Near>(load0(p0), shift);
  const d1 = differ<Near>(load0(p1), shift);
  const d2 = differ<Near>(load0(p2), shift);
  const d3 = differ<Near>(load0(p3), shift);
  const e0 = on<Gradient>() ? load0(g0) : d0;
  const e1 = on<Gradient>() ? load0(g1) : d1;
  const e2 = on<Gradient>() ? load0(g2) : d2;
  const e3 = on<Gradient>() ? load0(g3) : d3;
  v128.store(at, v128.add<T>(v128.load(at, SUMS), sumOf(e0, e1, e2, e3)), SUMS);
  const products = v128.add<T>(productOf(d0, e0, d1, e1), productOf(d2, e2, d3, e3));
  v128.store(at, v128.add<T>(v128.load(at, PRODUCTS), products), PRODUCTS);
}

/**
 * Adds two vectors of four rows, `gap` bytes apart, which one load brings if elements have 16 bits.
 * Row by row: conversions need the registers.
 */
function addHalves<Gradient, Near>(at: usize, dy: usize, x: usize, gap: usize): void {
  const zero = i64x2.splat(0);
  const shift0 = on<Near>() ? zero : v128.load(at, SHIFT);
  const shift1 = on<Near>() ? zero : v128.load(at + 16, SHIFT);
  let s0 = zero;
  let s1 = zero;
  let q0 = zero;
  let q1 = zero;
  for (let left = 4; left > 0; left--) {
    const d0 = differ<Near>(load0(x), shift0);
    const d1 = differ<Near>(load1(x), shift1);
    const g0 = on<Gradient>() ? load0(dy) : d0;
    const g1 = on<Gradient>() ? load1(dy) : d1;
    s0 = v128.add<T>(s0, g0);
    s1 = v128.add<T>(s1, g1);
    q0 = madd(d0, g0, q0);
    q1 = madd(d1, g1, q1);
    x += gap;
    if (on<Gradient>()) dy += gap;
  }
  v128.store(at, v128.add<T>(v128.load(at, SUMS), s0), SUMS);
  v128.store(at, v128.add<T>(v128.load(at, PRODUCTS), q0), PRODUCTS);
  at += 16;
  v128.store(at, v128.add<T>(v128.load(at, SUMS), s1), SUMS);
  v128.store(at, v128.add<T>(v128.load(at, PRODUCTS), q1), PRODUCTS);
}

/** Adds the lines from `from` to `to` of four rows, `gap` bytes apart. */
function addLines<Gradient, Near>(
  arrays: usize,
  dy: usize,
  x: usize,
  gap: usize,
  from: usize,
  to: usize,
): void {
  if (isHalf()) {
    for (let p = from; p < to; p += LINE / 2) {
      const q = storedBytes(p);
      addHalves<Gradient, Near>(arrays + p, dy + q, x + q, gap);
    }
    return;
  }
  const x1 = x + gap;
  const x2 = x1 + gap;
  const x3 = x2 + gap;
  const dy1 = dy + gap;
  const dy2 = dy1 + gap;
  const dy3 = dy2 + gap;
  for (let p = from; p < to; p += LINE) {
    const at = arrays + p;
    const q = storedBytes(p);
    const a = x + q;
    const b = x1 + q;
    const c = x2 + q;
    const d = x3 + q;
    const e = dy + q;
    const f = dy1 + q;
    const g = dy2 + q;
    const h = dy3 + q;
    addVectors<Gradient, Near>(at, a, b, c, d, e, f, g, h);
    addVectors<Gradient, Near>(
      at + 16,
      a + WIDTH,
      b + WIDTH,
      c + WIDTH,
      d + WIDTH,
      e + WIDTH,
      f + WIDTH,
      g + WIDTH,
      h + WIDTH,
    );
    addVectors<Gradient, Near>(
      at + 32,
      a + 2 * WIDTH,
      b + 2 * WIDTH,
      c + 2 * WIDTH,
      d + 2 * WIDTH,
      e + 2 * WIDTH,
      f + 2 * WIDTH,
      g + 2 * WIDTH,
      h + 2 * WIDTH,
    );
    addVectors<Gradient, Near>(
      at + 48,
      a + 3 * WIDTH,
      b + 3 * WIDTH,
      c + 3 * WIDTH,
      d + 3 * WIDTH,
      e + 3 * WIDTH,
      f + 3 * WIDTH,
      g + 3 * WIDTH,
      h + 3 * WIDTH,
    );
  }
}

/** Adds all positions of four rows. */
function addFour<Gradient>(arrays: usize, dy: usize, x: usize, gap: usize, width: usize): void {
  if (!hasNear()) {
    addLines<Gradient, Off>(arrays, dy, x, gap, 0, width);
    return;
  }
  for (let p: usize = 0; p < width; ) {
    const kind = kindAt(arrays, p);
    const end = min(kind & ~1, width);
    if (kind & 1) addLines<Gradient, On>(arrays, dy, x, gap, p, end);
    else addLines<Gradient, Off>(arrays, dy, x, gap, p, end);
    p = end;
  }
}

/** Adds one row. */
function addOne<Gradient>(arrays: usize, dy: usize, x: usize, width: usize): void {
  const end = arrays + width;
  for (let at = arrays; at < end; at += 16, x += WIDTH) {
    const d = v128.sub<T>(load0(x), v128.load(at, SHIFT));
    const g = on<Gradient>() ? load0(dy) : d;
    v128.store(at, v128.add<T>(v128.load(at, SUMS), g), SUMS);
    v128.store(at, madd(d, g, v128.load(at, PRODUCTS)), PRODUCTS);
    if (on<Gradient>()) dy += WIDTH;
  }
}

/**
 * Writes the sums of a chain of `part` fours of rows to all positions, and those of `rest` rows
 * after the four quarters.
 */
export function sumChain<Gradient>(
  arrays: usize,
  dy: usize,
  x: usize,
  width: usize,
  gap: usize,
  part: usize,
  rest: usize,
  stride: usize,
): void {
  memory.fill(arrays + SUMS, 0, width);
  memory.fill(arrays + PRODUCTS, 0, width);
  for (let i: usize = 0; i < part; i++, dy += stride, x += stride) {
    addFour<Gradient>(arrays, dy, x, gap, width);
  }
  for (let r: usize = 0, at = 3 * gap; r < rest; r++, at += stride) {
    addOne<Gradient>(arrays, dy + at, x + at, width);
  }
}

/** Adds the sums of `rows` rows, `fours` fours of them, to the totals; `fold` rows are one. */
function sumPart<Gradient>(
  arrays: usize,
  dy: usize,
  x: usize,
  channels: usize,
  rows: usize,
  fours: usize,
  stride: usize,
  repeat: usize,
  fold: usize,
  near: bool,
): void {
  const width = channels * repeat * SIZE * fold;
  const chain = foursOfChain(near);
  const gap = fours * stride;
  const rest = rows - 4 * fours;
  do {
    const part = min(chain, fours);
    fours -= part;
    sumChain<Gradient>(arrays, dy, x, width, gap, part, fours === 0 ? rest : 0, stride);
    dy += part * stride;
    x += part * stride;
    gather(arrays + TOTALS, arrays + SUMS, channels, repeat, fold);
    gather(arrays + TOTALS + 8 * channels, arrays + PRODUCTS, channels, repeat, fold);
  } while (fours > 0);
}

/** Writes the sums of `channels` channels from `first` on to the totals; their shifts are there. */
export function sumRun<Gradient>(call: Call, arrays: usize, first: usize, channels: usize): void {
  const rows = call.rows;
  const stride = call.stride;
  const repeat = call.values;
  const width = channels * repeat * SIZE;
  const start = first * repeat * STORED;
  const fold = foldOf(rows, stride, width, repeat);
  const rest = rows % fold;
  foldArrays(arrays + SHIFT, 1, width, fold);
  const near = markKinds(arrays, arrays + SHIFT, width * fold);
  memory.fill(arrays + TOTALS, 0, 16 * channels);
  let dy = on<Gradient>() ? call.dy + start : 0;
  let x = call.x + start;
  const folded = rows / fold;
  const wide = stride * fold;
  const fours = foursOf(folded, wide);
  sumPart<Gradient>(arrays, dy, x, channels, folded, fours, wide, repeat, fold, near);
  if (rest === 0) return;
  if (on<Gradient>()) dy += (rows - rest) * stride;
  x += (rows - rest) * stride;
  sumPart<Gradient>(arrays, dy, x, channels, rest, rest >> 2, stride, repeat, 1, near);
}
