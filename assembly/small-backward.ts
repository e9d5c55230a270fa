/**
 * The same arithmetic as plane-backward.ts for planes that are too short for a loop of their own:
 * several samples' planes of one channel at once. K says how many: i32 four, i16 two, i8 one.
 */

import { addTo, differ, lastBytes, madd, nmadd, promote } from './lanes';

/** Bytes of a channel's record: dx = dy * scale + offset - (x - center) * slope, then the sums. */
export const RECORD: usize = 112;
export const CENTER: usize = 0;
export const SCALE: usize = 16;
export const SLOPE: usize = 32;
export const OFFSET: usize = 48;
export const SHIFT: usize = 64;
export const SUM: usize = 80;
export const PRODUCTS: usize = 96;

/** dx of one vector. */
export function gradient<T, Near>(
  dy: v128,
  x: v128,
  center: v128,
  scale: v128,
  slope: v128,
  offset: v128,
): v128 {
  return nmadd<T>(differ<T, Near>(x, center), slope, madd<T>(dy, scale, offset));
}

/** Adds the sums of dy and of dy * (x - shift) over K planes, `stride` bytes apart, to `record`. */
export function smallSums<T, K, Near>(
  dy: usize,
  x: usize,
  stride: usize,
  record: usize,
  plane: usize,
): void {
  const shift = v128.load(record, SHIFT);
  const delta = x - dy;
  let sum = i64x2.splat(0);
  let products = sum;
  let p0 = dy;
  let p1 = sizeof<K>() > 1 ? p0 + stride : p0;
  let p2 = sizeof<K>() > 2 ? p1 + stride : p0;
  let p3 = sizeof<K>() > 2 ? p2 + stride : p0;
  for (const whole = dy + (plane & ~15); p0 < whole; ) {
    let g = v128.load(p0);
    let d = v128.mul<T>(differ<T, Near>(v128.load(p0 + delta), shift), g);
    if (sizeof<K>() > 1) {
      const g1 = v128.load(p1);
      d = madd<T>(differ<T, Near>(v128.load(p1 + delta), shift), g1, d);
      g = v128.add<T>(g, g1);
    }
    if (sizeof<K>() > 2) {
      const g2 = v128.load(p2);
      const g3 = v128.load(p3);
      const d2 = v128.mul<T>(differ<T, Near>(v128.load(p2 + delta), shift), g2);
      const d3 = madd<T>(differ<T, Near>(v128.load(p3 + delta), shift), g3, d2);
      d = v128.add<T>(d, d3);
      g = v128.add<T>(g, v128.add<T>(g2, g3));
    }
    sum = v128.add<T>(sum, g);
    products = v128.add<T>(products, d);
    p0 += 16;
    p1 += 16;
    p2 += 16;
    p3 += 16;
  }
  const rest = plane & 15;
  if (rest) {
    // The last vectors of the planes: lanes that were counted already are masked, in both factors
    // (0 * infinity would be NaN).
    const mask = lastBytes(rest);
    const back = rest - 16;
    for (let k = sizeof<K>(); k > 0; k--) {
      const g = v128.and(v128.load(p0 + back), mask);
      sum = v128.add<T>(sum, g);
      const d = v128.and(differ<T, Near>(v128.load(p0 + back + delta), shift), mask);
      products = madd<T>(d, g, products);
      p0 += stride;
    }
  }
  addTo(record + SUM, promote<T>(sum));
  addTo(record + PRODUCTS, promote<T>(products));
}
