/** Stage `moments` by rows: see rows.ts for what a row is, plane-forward.ts for the arithmetic. */

import { exactMoments, shiftOf, sound } from './channel';
import { differ, hasNear, madd, Off, On } from './lanes';
import { arrayBytes, channelsOfRun, gather, rowsOfChain, spread } from './rows';
import { scratch } from './scratch';

/** Adds x - shift and its square over `rows` rows to the sums of each position. */
function momentRows<T, Near>(
  sums: usize,
  squares: usize,
  shift: usize,
  x: usize,
  rows: usize,
  stride: usize,
  width: usize,
): void {
  let r: usize = 0;
  for (; r + 4 <= rows; r += 4) {
    const a = x + r * stride;
    const b = a + stride;
    const c = b + stride;
    const d = c + stride;
    for (let p: usize = 0; p < width; p += 32) {
      const h0 = v128.load(shift + p, 0);
      const h1 = v128.load(shift + p, 16);
      const a0 = differ<T, Near>(v128.load(a + p, 0), h0);
      const a1 = differ<T, Near>(v128.load(a + p, 16), h1);
      const b0 = differ<T, Near>(v128.load(b + p, 0), h0);
      const b1 = differ<T, Near>(v128.load(b + p, 16), h1);
      const q0 = madd<T>(b0, b0, v128.mul<T>(a0, a0));
      const q1 = madd<T>(b1, b1, v128.mul<T>(a1, a1));
      const c0 = differ<T, Near>(v128.load(c + p, 0), h0);
      const c1 = differ<T, Near>(v128.load(c + p, 16), h1);
      const d0 = differ<T, Near>(v128.load(d + p, 0), h0);
      const d1 = differ<T, Near>(v128.load(d + p, 16), h1);
      const r0 = madd<T>(d0, d0, madd<T>(c0, c0, q0));
      v128.store(squares + p, v128.add<T>(v128.load(squares + p, 0), r0), 0);
      const r1 = madd<T>(d1, d1, madd<T>(c1, c1, q1));
      v128.store(squares + p, v128.add<T>(v128.load(squares + p, 16), r1), 16);
      const s0 = v128.add<T>(v128.add<T>(a0, b0), v128.add<T>(c0, d0));
      const s1 = v128.add<T>(v128.add<T>(a1, b1), v128.add<T>(c1, d1));
      v128.store(sums + p, v128.add<T>(v128.load(sums + p, 0), s0), 0);
      v128.store(sums + p, v128.add<T>(v128.load(sums + p, 16), s1), 16);
    }
  }
  for (; r < rows; r++) {
    const a = x + r * stride;
    for (let p: usize = 0; p < width; p += 16) {
      const d = differ<T, Near>(v128.load(a + p), v128.load(shift + p));
      v128.store(sums + p, v128.add<T>(v128.load(sums + p), d));
      v128.store(squares + p, madd<T>(d, d, v128.load(squares + p)));
    }
  }
}

/** Whether all shifts of a run are 0. */
function nearZero<T>(shift: usize, channels: usize, repeat: usize): bool {
  for (let c: usize = 0; c < channels; c++) {
    if (load<T>(shift + c * repeat * sizeof<T>()) !== 0) return false;
  }
  return true;
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
  const size: usize = sizeof<T>();
  const run = channelsOfRun(channels, repeat);
  const bytes = arrayBytes<T>(run * repeat);
  const shift = scratch(3 * bytes + 16 * run);
  const sums = shift + bytes;
  const squares = sums + bytes;
  const total = squares + bytes;
  const totalSquares = total + 8 * run;
  const count = <f64>rows * <f64>repeat;
  for (let from: usize = 0; from < channels; from += run) {
    const k = min(run, channels - from);
    const start = x + from * repeat * size;
    for (let c: usize = 0; c < k; c++) {
      const value = shiftOf<T>(start + c * repeat * size, rows, stride, repeat * size);
      spread<T>(shift, c, repeat, value);
    }
    for (let attempt = 0; attempt < 2; attempt++) {
      memory.fill(sums, 0, 2 * bytes + 16 * run);
      const near = nearZero<T>(shift, k, repeat);
      const chain = rowsOfChain(near);
      for (let r: usize = 0; r < rows; r += chain) {
        const part = min(chain, rows - r);
        if (r > 0) memory.fill(sums, 0, 2 * bytes);
        const at = start + r * stride;
        if (hasNear<T>() && near)
          momentRows<T, On>(sums, squares, shift, at, part, stride, k * repeat * size);
        else momentRows<T, Off>(sums, squares, shift, at, part, stride, k * repeat * size);
        gather<T>(total, sums, k, repeat);
        gather<T>(totalSquares, squares, k, repeat);
      }
      let good = true;
      for (let c: usize = 0; c < k; c++) {
        const sum = load<f64>(total + c * 8);
        if (!sound<T>(count, sum, load<f64>(totalSquares + c * 8))) good = false;
      }
      if (good || attempt === 1) break;
      // The four values misled: once more, from the means that came out.
      for (let c: usize = 0; c < k; c++) {
        const value = <f64>load<T>(shift + c * repeat * size) + load<f64>(total + c * 8) / count;
        spread<T>(shift, c, repeat, <T>value);
      }
    }
    for (let c: usize = 0; c < k; c++) {
      const sum = load<f64>(total + c * 8);
      const square = load<f64>(totalSquares + c * 8);
      const meanAt = mean + (from + c) * 8;
      const m2At = m2 + (from + c) * 8;
      const column = start + c * repeat * size;
      if (sound<T>(count, sum, square)) {
        store<f64>(meanAt, <f64>load<T>(shift + c * repeat * size) + sum / count);
        store<f64>(m2At, square - (sum / count) * sum);
      } else {
        exactMoments<T>(meanAt, m2At, column, rows, stride, repeat * size);
      }
    }
  }
}
