/**
 * Stages `normalize` and `input-gradient` by rows: see rows.ts for what a row is. Gradient:
 * `input-gradient`.
 */

import { Call } from './call';
import {
  hasNear,
  load0,
  load1,
  load2,
  load3,
  loadOne,
  madd,
  Off,
  On,
  on,
  SIZE,
  STORED,
  store0,
  store01,
  store23,
  storedBytes,
  storeOne,
} from './lanes';
import {
  channelsOfRun,
  coefficientArrays,
  foldArrays,
  foldOf,
  foursOf,
  foursOfChunk,
  kindAt,
  LINE,
  markKinds,
  NEXT,
  putPositions,
} from './rows';

/** Offsets of the coefficients of all positions. */
const CENTER: usize = 0;
const SCALE: usize = NEXT;
const OFFSET: usize = 2 * NEXT;
const SLOPE: usize = 3 * NEXT;

/** Loads the slopes at a position, which only gradients have. */
function slopesAt<Gradient>(at: usize): v128 {
  return on<Gradient>() ? v128.load(at, SLOPE) : i64x2.splat(0);
}

/** Computes y or dx of a vector or of one value. */
function mapped<Gradient>(dy: v128, d: v128, s: v128, o: v128, k: v128): v128 {
  return on<Gradient>() ? madd(d, k, madd(dy, s, o)) : madd(d, s, o);
}

/** Maps one vector, `x`, and `dy` if there is one. */
function mapVector<Gradient, Near>(at: usize, dy: v128, x: v128, s: v128, o: v128, k: v128): v128 {
  const d = on<Near>() ? x : v128.sub<T>(x, v128.load(at, CENTER));
  return mapped<Gradient>(on<Gradient>() ? dy : x, d, s, o, k);
}

/** Maps a line of one row: to q, from dy at g and x at p. */
function mapLine<Gradient, Near>(
  at: usize,
  q: usize,
  g: usize,
  p: usize,
  s0: v128,
  o0: v128,
  k0: v128,
  s1: v128,
  o1: v128,
  k1: v128,
  s2: v128,
  o2: v128,
  k2: v128,
  s3: v128,
  o3: v128,
  k3: v128,
): void {
  const none = i64x2.splat(0);
  const g0 = on<Gradient>() ? load0(g) : none;
  const g1 = on<Gradient>() ? load1(g) : none;
  const y0 = mapVector<Gradient, Near>(at, g0, load0(p), s0, o0, k0);
  store01(q, y0, mapVector<Gradient, Near>(at + 16, g1, load1(p), s1, o1, k1));
  const g2 = on<Gradient>() ? load2(g) : none;
  const g3 = on<Gradient>() ? load3(g) : none;
  const y2 = mapVector<Gradient, Near>(at + 32, g2, load2(p), s2, o2, k2);
  store23(q, y2, mapVector<Gradient, Near>(at + 48, g3, load3(p), s3, o3, k3));
}

/** Maps the lines from `from` to `to` of four rows, `gap` bytes apart. */
function mapLines<Gradient, Near>(
  arrays: usize,
  out: usize,
  dy: usize,
  x: usize,
  gap: usize,
  from: usize,
  to: usize,
): void {
  for (let p = from; p < to; p += LINE) {
    const at = arrays + p;
    const s0 = v128.load(at, SCALE);
    const o0 = v128.load(at, OFFSET);
    const k0 = slopesAt<Gradient>(at);
    const s1 = v128.load(at + 16, SCALE);
    const o1 = v128.load(at + 16, OFFSET);
    const k1 = slopesAt<Gradient>(at + 16);
    const s2 = v128.load(at + 32, SCALE);
    const o2 = v128.load(at + 32, OFFSET);
    const k2 = slopesAt<Gradient>(at + 32);
    const s3 = v128.load(at + 48, SCALE);
    const o3 = v128.load(at + 48, OFFSET);
    const k3 = slopesAt<Gradient>(at + 48);
    const stored = storedBytes(p);
    let q = out + stored;
    let g = dy + stored;
    let a = x + stored;
    mapLine<Gradient, Near>(at, q, g, a, s0, o0, k0, s1, o1, k1, s2, o2, k2, s3, o3, k3);
    for (let left = 3; left > 0; left--) {
      q += gap;
      g += gap;
      a += gap;
      mapLine<Gradient, Near>(at, q, g, a, s0, o0, k0, s1, o1, k1, s2, o2, k2, s3, o3, k3);
    }
  }
}

/** Maps four rows; `width` is in whole lines. */
function mapFour<Gradient>(
  arrays: usize,
  out: usize,
  dy: usize,
  x: usize,
  gap: usize,
  width: usize,
): void {
  if (!hasNear()) {
    mapLines<Gradient, Off>(arrays, out, dy, x, gap, 0, width);
    return;
  }
  for (let p: usize = 0; p < width; ) {
    const kind = kindAt(arrays, p);
    const end = min(kind & ~1, width);
    if (kind & 1) mapLines<Gradient, On>(arrays, out, dy, x, gap, p, end);
    else mapLines<Gradient, Off>(arrays, out, dy, x, gap, p, end);
    p = end;
  }
}

/** Maps the positions from `from` to `width` bytes of `rows` rows, which the fours leave. */
function mapRest<Gradient>(
  arrays: usize,
  out: usize,
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
    const o = v128.load(c, OFFSET);
    const k = slopesAt<Gradient>(c);
    for (let r: usize = 0, at = storedBytes(p); r < rows; r++, at += stride) {
      const g = on<Gradient>() ? load0(dy + at) : s;
      store0(out + at, mapVector<Gradient, Off>(c, g, load0(x + at), s, o, k));
    }
  }
  for (; p < width; p += SIZE) {
    const c = arrays + p;
    const m = v128.load(c, CENTER);
    const s = v128.load(c, SCALE);
    const o = v128.load(c, OFFSET);
    const k = slopesAt<Gradient>(c);
    for (let r: usize = 0, at = storedBytes(p); r < rows; r++, at += stride) {
      const value = loadOne(x + at);
      const g = on<Gradient>() ? loadOne(dy + at) : value;
      storeOne(out + at, mapped<Gradient>(g, v128.sub<T>(value, m), s, o, k));
    }
  }
}

/** Maps `rows` rows of `width` bytes. */
function mapPart<Gradient>(
  arrays: usize,
  out: usize,
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
  mapRest<Gradient>(arrays, out + last, dy + last, x + last, rows - 4 * fours, stride, 0, width);
  for (let end = fours; end > 0; ) {
    const part = end % chunk === 0 ? chunk : end % chunk;
    end -= part;
    let at = end * stride;
    for (let i: usize = 0; i < part; i++, at += stride) {
      mapFour<Gradient>(arrays, out + at, dy + at, x + at, gap, lines);
    }
  }
  mapRest<Gradient>(arrays, out, dy, x, 4 * fours, stride, lines, width);
}

function mapRows<Gradient>(call: Call): void {
  const rows = call.rows;
  const stride = call.stride;
  const repeat = call.values;
  const run = channelsOfRun(call.channels, repeat);
  const arrays = coefficientArrays(run);
  for (let first: usize = 0; first < call.channels; first += run) {
    const channels = min(run, call.channels - first);
    putPositions<Gradient>(call, first, channels, arrays);
    const width = channels * repeat * SIZE;
    const fold = foldOf(rows, stride, width, repeat);
    const rest = rows % fold;
    foldArrays(arrays, on<Gradient>() ? 4 : 3, width, fold);
    if (hasNear()) markKinds(arrays, arrays + CENTER, width * fold);
    const start = first * repeat * STORED;
    const out = call.out + start;
    const dy = call.dy + start;
    const x = call.x + start;
    const last = (rows - rest) * stride;
    if (rest > 0) {
      mapPart<Gradient>(arrays, out + last, dy + last, x + last, rest, stride, width);
    }
    mapPart<Gradient>(arrays, out, dy, x, rows / fold, stride * fold, width * fold);
  }
}

/** Writes y = (x - mean) * invstd * weight + bias. */
export function rowNormalize(call: Call): void {
  mapRows<Off>(call);
}

/** Writes dx = weight * invstd * (dy - meanDy - xhat * meanDyXhat). */
export function rowInputGradient(call: Call): void {
  mapRows<On>(call);
}
