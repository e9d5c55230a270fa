/**
 * The same arithmetic as plane-forward.ts for planes that are too short for a loop of their own:
 * several samples' planes of one channel at once. K says how many: i32 four, i16 two, i8 one.
 */

import { addTo, differ, lastBytes, madd, promote } from './lanes';

/** Bytes of a channel's record: three vectors to normalise by, three of moments. */
export const RECORD: usize = 96;
export const CENTER: usize = 0;
export const SCALE: usize = 16;
export const OFFSET: usize = 32;
export const SHIFT: usize = 48;
export const SUM: usize = 64;
export const SQUARES: usize = 80;

/** Whether planes go several at once: only float32's, whose code is worth its size. */
export function isSmall<T>(plane: usize): bool {
  return sizeof<T>() === 4 && plane < 64 * sizeof<T>();
}

function sumOf<T, K>(a: v128, b: v128, c: v128, d: v128): v128 {
  if (sizeof<K>() === 1) return a;
  if (sizeof<K>() === 2) return v128.add<T>(a, b);
  return v128.add<T>(v128.add<T>(a, b), v128.add<T>(c, d));
}

function squareOf<T, K>(a: v128, b: v128, c: v128, d: v128): v128 {
  if (sizeof<K>() === 1) return v128.mul<T>(a, a);
  const low = madd<T>(a, a, v128.mul<T>(b, b));
  if (sizeof<K>() === 2) return low;
  return v128.add<T>(low, madd<T>(c, c, v128.mul<T>(d, d)));
}

/** Adds the moments of K planes, `stride` bytes apart, to `record`. */
export function smallMoments<T, K, Near>(
  b: usize,
  stride: usize,
  record: usize,
  plane: usize,
): void {
  const shift = v128.load(record, SHIFT);
  let sum = i64x2.splat(0);
  let squares = sum;
  let p0 = b;
  let p1 = sizeof<K>() > 1 ? p0 + stride : p0;
  let p2 = sizeof<K>() > 2 ? p1 + stride : p0;
  let p3 = sizeof<K>() > 2 ? p2 + stride : p0;
  for (const whole = b + (plane & ~15); p0 < whole; ) {
    const x0 = differ<T, Near>(v128.load(p0), shift);
    const x1 = sizeof<K>() > 1 ? differ<T, Near>(v128.load(p1), shift) : x0;
    const x2 = sizeof<K>() > 2 ? differ<T, Near>(v128.load(p2), shift) : x0;
    const x3 = sizeof<K>() > 2 ? differ<T, Near>(v128.load(p3), shift) : x0;
    sum = v128.add<T>(sum, sumOf<T, K>(x0, x1, x2, x3));
    squares = v128.add<T>(squares, squareOf<T, K>(x0, x1, x2, x3));
    p0 += 16;
    p1 += 16;
    p2 += 16;
    p3 += 16;
  }
  const rest = plane & 15;
  if (rest) {
    // The last vectors of the planes: lanes that were counted already are masked.
    const mask = lastBytes(rest);
    const back = rest - 16;
    const x0 = v128.and(differ<T, Near>(v128.load(p0 + back), shift), mask);
    const x1 = sizeof<K>() > 1 ? v128.and(differ<T, Near>(v128.load(p1 + back), shift), mask) : x0;
    const x2 = sizeof<K>() > 2 ? v128.and(differ<T, Near>(v128.load(p2 + back), shift), mask) : x0;
    const x3 = sizeof<K>() > 2 ? v128.and(differ<T, Near>(v128.load(p3 + back), shift), mask) : x0;
    sum = v128.add<T>(sum, sumOf<T, K>(x0, x1, x2, x3));
    squares = v128.add<T>(squares, squareOf<T, K>(x0, x1, x2, x3));
  }
  addTo(record + SUM, promote<T>(sum));
  addTo(record + SQUARES, promote<T>(squares));
}

/** Normalises K planes, `stride` bytes apart, by `record`. */
export function smallNormalize<T, K, Near>(
  y: usize,
  a: usize,
  stride: usize,
  record: usize,
  plane: usize,
): void {
  const center = v128.load(record, CENTER);
  const scale = v128.load(record, SCALE);
  const offset = v128.load(record, OFFSET);
  const delta = y - a;
  let p0 = a;
  let p1 = sizeof<K>() > 1 ? p0 + stride : p0;
  let p2 = sizeof<K>() > 2 ? p1 + stride : p0;
  let p3 = sizeof<K>() > 2 ? p2 + stride : p0;
  const rest = plane & 15;
  // Whole vectors at the ends of the planes, over those before them; read first: y may be x.
  const last = plane - 16;
  const e0 = madd<T>(differ<T, Near>(v128.load(p0 + last), center), scale, offset);
  const e1 = madd<T>(differ<T, Near>(v128.load(p1 + last), center), scale, offset);
  const e2 = madd<T>(differ<T, Near>(v128.load(p2 + last), center), scale, offset);
  const e3 = madd<T>(differ<T, Near>(v128.load(p3 + last), center), scale, offset);
  for (const whole = a + (plane & ~15); p0 < whole; ) {
    v128.store(p0 + delta, madd<T>(differ<T, Near>(v128.load(p0), center), scale, offset));
    p0 += 16;
    if (sizeof<K>() > 1) {
      v128.store(p1 + delta, madd<T>(differ<T, Near>(v128.load(p1), center), scale, offset));
      p1 += 16;
    }
    if (sizeof<K>() > 2) {
      v128.store(p2 + delta, madd<T>(differ<T, Near>(v128.load(p2), center), scale, offset));
      v128.store(p3 + delta, madd<T>(differ<T, Near>(v128.load(p3), center), scale, offset));
      p2 += 16;
      p3 += 16;
    }
  }
  if (rest) {
    const back = rest - 16 + delta;
    v128.store(p0 + back, e0);
    if (sizeof<K>() > 1) v128.store(p1 + back, e1);
    if (sizeof<K>() > 2) {
      v128.store(p2 + back, e2);
      v128.store(p3 + back, e3);
    }
  }
}
