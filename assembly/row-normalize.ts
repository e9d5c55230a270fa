/** Stage `normalize` by rows: see rows.ts for what a row is. */

import { centerOf, parameter } from './channel';
import { hasNear, loadOne, madd, Off, On, on, storeOne } from './lanes';
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

/** Where the coefficients of all positions lie: y = (x - center) * scale + offset. */
const CENTER: usize = 0;
const SCALE: usize = NEXT;
const OFFSET: usize = 2 * NEXT;

/** Normalises a line of one row, from p to q. */
function normalizeLine<T, Near>(
  at: usize,
  q: usize,
  p: usize,
  s0: v128,
  o0: v128,
  s1: v128,
  o1: v128,
  s2: v128,
  o2: v128,
  s3: v128,
  o3: v128,
): void {
  v128.store(q, madd<T>(centered<T, Near>(at, p), s0, o0));
  v128.store(q + 16, madd<T>(centered<T, Near>(at + 16, p + 16), s1, o1));
  v128.store(q + 32, madd<T>(centered<T, Near>(at + 32, p + 32), s2, o2));
  v128.store(q + 48, madd<T>(centered<T, Near>(at + 48, p + 48), s3, o3));
}

/** x - center of one vector, or x in rows whose centers are all 0. */
function centered<T, Near>(at: usize, p: usize): v128 {
  if (on<Near>()) return v128.load(p);
  return v128.sub<T>(v128.load(p), v128.load(at, CENTER));
}

/** Normalises the lines from `from` to `to` of four rows, `gap` bytes apart. */
function normalizeLines<T, Near>(
  arrays: usize,
  y: usize,
  x: usize,
  gap: usize,
  from: usize,
  to: usize,
): void {
  const y1 = y + gap;
  const y2 = y1 + gap;
  const y3 = y2 + gap;
  const x1 = x + gap;
  const x2 = x1 + gap;
  const x3 = x2 + gap;
  for (let p = from; p < to; p += LINE) {
    const at = arrays + p;
    const s0 = v128.load(at, SCALE);
    const o0 = v128.load(at, OFFSET);
    const s1 = v128.load(at + 16, SCALE);
    const o1 = v128.load(at + 16, OFFSET);
    const s2 = v128.load(at + 32, SCALE);
    const o2 = v128.load(at + 32, OFFSET);
    const s3 = v128.load(at + 48, SCALE);
    const o3 = v128.load(at + 48, OFFSET);
    normalizeLine<T, Near>(at, y + p, x + p, s0, o0, s1, o1, s2, o2, s3, o3);
    normalizeLine<T, Near>(at, y1 + p, x1 + p, s0, o0, s1, o1, s2, o2, s3, o3);
    normalizeLine<T, Near>(at, y2 + p, x2 + p, s0, o0, s1, o1, s2, o2, s3, o3);
    normalizeLine<T, Near>(at, y3 + p, x3 + p, s0, o0, s1, o1, s2, o2, s3, o3);
  }
}

/** Normalises four rows; `width` is in whole lines. */
function normalizeFour<T>(arrays: usize, y: usize, x: usize, gap: usize, width: usize): void {
  if (!hasNear<T>()) {
    normalizeLines<T, Off>(arrays, y, x, gap, 0, width);
    return;
  }
  for (let p: usize = 0; p < width; ) {
    const kind = kindAt(arrays, p);
    const end = min(kind & ~1, width);
    if (kind & 1) normalizeLines<T, On>(arrays, y, x, gap, p, end);
    else normalizeLines<T, Off>(arrays, y, x, gap, p, end);
    p = end;
  }
}

/** Normalises the positions from `from` to `width` bytes of `rows` rows: what the fours leave. */
function normalizeRest<T>(
  arrays: usize,
  y: usize,
  x: usize,
  rows: usize,
  stride: usize,
  from: usize,
  width: usize,
): void {
  if (rows === 0) return;
  let p = from;
  for (; p + 16 <= width; p += 16) {
    const s = v128.load(arrays + p, SCALE);
    const o = v128.load(arrays + p, OFFSET);
    for (let r: usize = 0, at = p; r < rows; r++, at += stride) {
      v128.store(y + at, madd<T>(centered<T, Off>(arrays + p, x + at), s, o));
    }
  }
  for (; p < width; p += sizeof<T>()) {
    const m = v128.load(arrays + p, CENTER);
    const s = v128.load(arrays + p, SCALE);
    const o = v128.load(arrays + p, OFFSET);
    for (let r: usize = 0, at = p; r < rows; r++, at += stride) {
      storeOne<T>(y + at, madd<T>(v128.sub<T>(loadOne<T>(x + at), m), s, o));
    }
  }
}

/** Normalises `rows` rows of `width` bytes. */
function normalizePart<T>(
  arrays: usize,
  y: usize,
  x: usize,
  rows: usize,
  stride: usize,
  width: usize,
): void {
  const lines = width & ~(LINE - 1);
  const fours = foursOf(rows, stride);
  const gap = fours * stride;
  const chunk = foursOfChunk(stride);
  normalizeRest<T>(arrays, y + 4 * gap, x + 4 * gap, rows - 4 * fours, stride, 0, width);
  for (let end = fours; end > 0; ) {
    const part = end % chunk === 0 ? chunk : end % chunk;
    end -= part;
    let at = end * stride;
    for (let i: usize = 0; i < part; i++, at += stride) {
      normalizeFour<T>(arrays, y + at, x + at, gap, lines);
    }
  }
  normalizeRest<T>(arrays, y, x, 4 * fours, stride, lines, width);
}

/** Writes y = (x - mean) * invstd * weight + bias. y may be x. Pointers aligned to T. */
export function rowNormalize<T>(
  y: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  repeat: usize,
): void {
  const bytes = repeat * sizeof<T>();
  const run = channelsOfRun<T>(channels, repeat);
  const arrays = scratch(3 * NEXT);
  for (let from: usize = 0; from < channels; from += run) {
    const k = min(run, channels - from);
    for (let c: usize = 0; c < k; c++) {
      const m = load<f64>(mean + (from + c) * 8);
      const i = load<f64>(invstd + (from + c) * 8);
      const middle = centerOf<T>(m, i);
      // What center and scale lose of the mean goes into the offset.
      const s = <T>(i * parameter<T>(weight, from + c, 1));
      const o = parameter<T>(bias, from + c, 0) - (m - <f64>middle) * <f64>s;
      spread<T>(arrays + CENTER, c, repeat, middle);
      spread<T>(arrays + SCALE, c, repeat, s);
      spread<T>(arrays + OFFSET, c, repeat, <T>o);
    }
    const start = from * bytes;
    const width = k * bytes;
    const fold = foldOf(rows, stride, width, repeat);
    const rest = rows % fold;
    foldArrays(arrays, 3, width, fold);
    if (hasNear<T>()) markKinds(arrays, arrays + CENTER, width * fold);
    const last = start + (rows - rest) * stride;
    if (rest > 0) normalizePart<T>(arrays, y + last, x + last, rest, stride, width);
    normalizePart<T>(arrays, y + start, x + start, rows / fold, stride * fold, width * fold);
  }
}
