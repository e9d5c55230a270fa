/** Stage `input-gradient` by rows: see rows.ts for what a row is, row-normalize.ts for the loops. */

import { centerOf, parameter } from './channel';
import { hasNear, loadOne, madd, nmadd, Off, On, on, storeOne } from './lanes';
import {
  channelsOfRun,
  foldArrays,
  foldOf,
  foursOf,
  foursOfChunk,
  kindAt,
  LINE,
  markKinds,
  NEXT,
  spread,
} from './rows';
import { scratch } from './scratch';

/** Where the coefficients lie: dx = dy * scale + offset - (x - center) * slope. */
const CENTER: usize = 0;
const SCALE: usize = NEXT;
const OFFSET: usize = 2 * NEXT;
const SLOPE: usize = 3 * NEXT;

/** dx of one vector: at q, from dy at g and x at p. */
function gradientVector<T, Near>(
  at: usize,
  q: usize,
  g: usize,
  p: usize,
  scale: v128,
  slope: v128,
  offset: v128,
): void {
  const x = v128.load(p);
  const d = on<Near>() ? x : v128.sub<T>(x, v128.load(at, CENTER));
  v128.store(q, nmadd<T>(d, slope, madd<T>(v128.load(g), scale, offset)));
}

/** dx of a line of one row. */
function gradientLine<T, Near>(
  at: usize,
  q: usize,
  g: usize,
  p: usize,
  s0: v128,
  k0: v128,
  o0: v128,
  s1: v128,
  k1: v128,
  o1: v128,
  s2: v128,
  k2: v128,
  o2: v128,
  s3: v128,
  k3: v128,
  o3: v128,
): void {
  gradientVector<T, Near>(at, q, g, p, s0, k0, o0);
  gradientVector<T, Near>(at + 16, q + 16, g + 16, p + 16, s1, k1, o1);
  gradientVector<T, Near>(at + 32, q + 32, g + 32, p + 32, s2, k2, o2);
  gradientVector<T, Near>(at + 48, q + 48, g + 48, p + 48, s3, k3, o3);
}

/** dx of the lines from `from` to `to` of four rows, `gap` bytes apart. */
function gradientLines<T, Near>(
  arrays: usize,
  dx: usize,
  dy: usize,
  x: usize,
  gap: usize,
  from: usize,
  to: usize,
): void {
  for (let p = from; p < to; p += LINE) {
    const at = arrays + p;
    const s0 = v128.load(at, SCALE);
    const k0 = v128.load(at, SLOPE);
    const o0 = v128.load(at, OFFSET);
    const s1 = v128.load(at + 16, SCALE);
    const k1 = v128.load(at + 16, SLOPE);
    const o1 = v128.load(at + 16, OFFSET);
    const s2 = v128.load(at + 32, SCALE);
    const k2 = v128.load(at + 32, SLOPE);
    const o2 = v128.load(at + 32, OFFSET);
    const s3 = v128.load(at + 48, SCALE);
    const k3 = v128.load(at + 48, SLOPE);
    const o3 = v128.load(at + 48, OFFSET);
    let q = dx + p;
    let g = dy + p;
    let a = x + p;
    gradientLine<T, Near>(at, q, g, a, s0, k0, o0, s1, k1, o1, s2, k2, o2, s3, k3, o3);
    for (let left = 3; left > 0; left--) {
      q += gap;
      g += gap;
      a += gap;
      gradientLine<T, Near>(at, q, g, a, s0, k0, o0, s1, k1, o1, s2, k2, o2, s3, k3, o3);
    }
  }
}

/** dx of four rows; `width` is in whole lines. */
function gradientFour<T>(
  arrays: usize,
  dx: usize,
  dy: usize,
  x: usize,
  gap: usize,
  width: usize,
): void {
  if (!hasNear<T>()) {
    gradientLines<T, Off>(arrays, dx, dy, x, gap, 0, width);
    return;
  }
  for (let p: usize = 0; p < width; ) {
    const kind = kindAt(arrays, p);
    const end = min(kind & ~1, width);
    if (kind & 1) gradientLines<T, On>(arrays, dx, dy, x, gap, p, end);
    else gradientLines<T, Off>(arrays, dx, dy, x, gap, p, end);
    p = end;
  }
}

/** dx of the positions from `from` to `width` bytes of `rows` rows: what the fours leave. */
function gradientRest<T>(
  arrays: usize,
  dx: usize,
  dy: usize,
  x: usize,
  rows: usize,
  stride: usize,
  from: usize,
  width: usize,
): void {
  if (rows === 0) return;
  let p = from;
  for (; p + 16 <= width; p += 16) {
    const c = arrays + p;
    const s = v128.load(c, SCALE);
    const k = v128.load(c, SLOPE);
    const o = v128.load(c, OFFSET);
    for (let r: usize = 0, at = p; r < rows; r++, at += stride) {
      gradientVector<T, Off>(c, dx + at, dy + at, x + at, s, k, o);
    }
  }
  for (; p < width; p += sizeof<T>()) {
    const c = arrays + p;
    const m = v128.load(c, CENTER);
    const s = v128.load(c, SCALE);
    const k = v128.load(c, SLOPE);
    const o = v128.load(c, OFFSET);
    for (let r: usize = 0, at = p; r < rows; r++, at += stride) {
      const d = v128.sub<T>(loadOne<T>(x + at), m);
      storeOne<T>(dx + at, nmadd<T>(d, k, madd<T>(loadOne<T>(dy + at), s, o)));
    }
  }
}

/** dx of `rows` rows of `width` bytes. */
function gradientPart<T>(
  arrays: usize,
  dx: usize,
  dy: usize,
  x: usize,
  rows: usize,
  stride: usize,
  width: usize,
): void {
  const lines = width & ~(LINE - 1);
  const fours = foursOf(rows, stride);
  const gap = fours * stride;
  const chunk = foursOfChunk(stride);
  const last = 4 * gap;
  gradientRest<T>(arrays, dx + last, dy + last, x + last, rows - 4 * fours, stride, 0, width);
  for (let end = fours; end > 0; ) {
    const part = end % chunk === 0 ? chunk : end % chunk;
    end -= part;
    let at = end * stride;
    for (let i: usize = 0; i < part; i++, at += stride) {
      gradientFour<T>(arrays, dx + at, dy + at, x + at, gap, lines);
    }
  }
  gradientRest<T>(arrays, dx, dy, x, 4 * fours, stride, lines, width);
}

/**
 * Writes dx = weight * invstd * (dy - meanDy - xhat * meanDyXhat), the means 0 where their
 * pointers are. dx may be dy or x. Pointers aligned to T.
 */
export function rowInputGradient<T>(
  dx: usize,
  dy: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  meanDy: usize,
  meanDyXhat: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  repeat: usize,
): void {
  const bytes = repeat * sizeof<T>();
  const run = channelsOfRun<T>(channels, repeat);
  const arrays = scratch(4 * NEXT);
  for (let from: usize = 0; from < channels; from += run) {
    const k = min(run, channels - from);
    for (let c: usize = 0; c < k; c++) {
      const channel = from + c;
      const m = load<f64>(mean + channel * 8);
      const i = load<f64>(invstd + channel * 8);
      const middle = centerOf<T>(m, i);
      const s = i * parameter<T>(weight, channel, 1);
      const slope = meanDy === 0 ? <f64>0 : load<f64>(meanDyXhat + channel * 8) * i * s;
      const level = meanDy === 0 ? <f64>0 : load<f64>(meanDy + channel * 8) * s;
      spread<T>(arrays + CENTER, c, repeat, middle);
      spread<T>(arrays + SCALE, c, repeat, <T>s);
      spread<T>(arrays + SLOPE, c, repeat, <T>slope);
      spread<T>(arrays + OFFSET, c, repeat, <T>((m - <f64>middle) * slope - level));
    }
    const width = k * bytes;
    const fold = foldOf(rows, stride, width, repeat);
    const rest = rows % fold;
    foldArrays(arrays, 4, width, fold);
    if (hasNear<T>()) markKinds(arrays, arrays + CENTER, width * fold);
    const at = from * bytes;
    const last = at + (rows - rest) * stride;
    if (rest > 0) {
      gradientPart<T>(arrays, dx + last, dy + last, x + last, rest, stride, width);
    }
    gradientPart<T>(arrays, dx + at, dy + at, x + at, rows / fold, stride * fold, width * fold);
  }
}
