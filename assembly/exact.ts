/** Exact sums of the columns of a matrix of atoms, float64; its columns are even in number. */

import { magicOf } from './grid';

/** Rows until integer sums could overflow. */
const ROWS: usize = 4096;

/** Raises the bounds of `columns` columns to the largest magnitudes of `rows` rows. */
export function boundAtoms(bounds: usize, atoms: usize, rows: usize, columns: usize): void {
  const stride = columns * 8;
  for (let r: usize = 0; r < rows; r++, atoms += stride) {
    for (let at: usize = 0; at < stride; at += 16) {
      // As integers: NaN is above infinity, which is above all numbers.
      const a = f64x2.abs(v128.load(atoms + at));
      const most = v128.load(bounds + at);
      v128.store(bounds + at, v128.bitselect(a, most, i64x2.gt_s(a, most)));
    }
  }
}

/**
 * Writes the words of the columns' sums, upper ones first, on the grids of the bounds. The bounds
 * are lost: their place is needed.
 */
export function addAtoms(
  words: usize,
  bounds: usize,
  atoms: usize,
  rows: usize,
  columns: usize,
): void {
  const stride = columns * 8;
  for (let at: usize = 0; at < stride; at += 8) {
    store<f64>(bounds + at, magicOf(load<f64>(bounds + at)));
  }
  memory.fill(words, 0, 2 * stride);
  for (let from: usize = 0; from < rows; from += ROWS) {
    const part = min(ROWS, rows - from);
    // By lines of 64 bytes: rows whole pages apart push each other out of the first-level cache.
    for (let line: usize = 0; line < stride; line += 64) {
      const m0 = v128.load(bounds + line);
      const m1 = v128.load(bounds + line, 16);
      const m2 = v128.load(bounds + line, 32);
      const m3 = v128.load(bounds + line, 48);
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
      addWords(at, stride, s0, m0, part);
      if (left > 16) addWords(at + 16, stride, s1, m1, part);
      if (left > 32) addWords(at + 32, stride, s2, m2, part);
      if (left > 48) addWords(at + 48, stride, s3, m3, part);
    }
    atoms += part * stride;
  }
}

/** Adds two sums of `rows` terms, which have the bits of the magic numbers in them, to their words. */
function addWords(words: usize, next: usize, sums: v128, magic: v128, rows: usize): void {
  const integers = i64x2.sub(sums, i64x2.mul(magic, i64x2.splat(rows)));
  const first = i64x2.extract_lane(integers, 0);
  const second = i64x2.extract_lane(integers, 1);
  const upper = f64x2(<f64>(first >> 26), <f64>(second >> 26));
  const lower = f64x2(<f64>(first & 0x3ffffff), <f64>(second & 0x3ffffff));
  v128.store(words, f64x2.add(v128.load(words), upper));
  v128.store(words + next, f64x2.add(v128.load(words + next), lower));
}
