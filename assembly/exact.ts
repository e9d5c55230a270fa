/**
 * Exact sums of the columns of a matrix of atoms, float64; its columns are even in number.
 * src/core/exact-sum.ts tells what bounds, words and values are.
 */

import { ends, magics, putWords, units } from './grid';

/** Most rows before integer sums could overflow. */
const ROWS: usize = 4096;

/** The larger magnitudes, by their upper halves as integers; lower halves mean nothing. */
function larger(most: v128, p: usize): v128 {
  return i32x4.max_s(most, f64x2.abs(v128.load(p)));
}

/** Writes the bounds of the columns. Lines of 64 bytes are whole: the bounds need room for that. */
export function boundAtoms(bounds: usize, atoms: usize, rows: usize, columns: usize): void {
  const stride = columns * 8;
  for (let line: usize = 0; line < stride; line += 64) {
    let b0 = i64x2.splat(0);
    let b1 = b0;
    let b2 = b0;
    let b3 = b0;
    for (let r: usize = 0, p = atoms + line; r < rows; r++, p += stride) {
      b0 = larger(b0, p);
      b1 = larger(b1, p + 16);
      b2 = larger(b2, p + 32);
      b3 = larger(b3, p + 48);
    }
    v128.store(bounds + line, ends(b0));
    const left = stride - line;
    if (left > 16) v128.store(bounds + line, ends(b1), 16);
    if (left > 32) v128.store(bounds + line, ends(b2), 32);
    if (left > 48) v128.store(bounds + line, ends(b3), 48);
  }
}

/** Writes the words of the columns' sums, upper ones first, on the grids of the bounds. */
export function addAtoms(
  words: usize,
  bounds: usize,
  atoms: usize,
  rows: usize,
  columns: usize,
): void {
  const stride = columns * 8;
  memory.fill(words, 0, 2 * stride);
  for (let from: usize = 0; from < rows; from += ROWS) {
    const part = min(ROWS, rows - from);
    // By lines of 64 bytes: rows whole pages apart push each other out of the first-level cache.
    for (let line: usize = 0; line < stride; line += 64) {
      const m0 = magics(bounds + line);
      const m1 = magics(bounds + line + 16);
      const m2 = magics(bounds + line + 32);
      const m3 = magics(bounds + line + 48);
      let s0 = i64x2.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      let p = atoms + line;
      for (let r: usize = 0; r < part; r++, p += stride) {
        s0 = i64x2.add(s0, f64x2.add(v128.load(p), m0));
        s1 = i64x2.add(s1, f64x2.add(v128.load(p, 16), m1));
        s2 = i64x2.add(s2, f64x2.add(v128.load(p, 32), m2));
        s3 = i64x2.add(s3, f64x2.add(v128.load(p, 48), m3));
      }
      const at = words + line;
      const left = stride - line;
      putWords(at, stride, s0, m0, part, true);
      if (left > 16) putWords(at + 16, stride, s1, m1, part, true);
      if (left > 32) putWords(at + 32, stride, s2, m2, part, true);
      if (left > 48) putWords(at + 48, stride, s3, m3, part, true);
    }
    atoms += part * stride;
  }
}

/** Writes the values of the columns' words, whose grids are those of the bounds. */
export function putValues(values: usize, words: usize, bounds: usize, columns: usize): void {
  const stride = columns * 8;
  for (let at: usize = 0; at < stride; at += 16) {
    const upper = f64x2.mul(v128.load(words + at), f64x2.splat(67108864));
    const sum = f64x2.add(upper, v128.load(words + at + stride));
    v128.store(values + at, f64x2.mul(sum, units(bounds + at)));
  }
}
