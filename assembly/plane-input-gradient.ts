/** Stage `input-gradient` over channels-first planes of 16 bytes and more; see plane-moments.ts. */

import { centerOf, parameter } from './channel';
import { loadOne, madd, nmadd, storeOne, TURN } from './lanes';
import { scratch } from './scratch';

/** Bytes of a channel's record: dx = dy * scale + offset - (x - center) * slope. */
const RECORD: usize = 64;
const CENTER: usize = 0;
const SCALE: usize = 16;
const SLOPE: usize = 32;
const OFFSET: usize = 48;

/** dx of one vector. */
function gradient<T>(
  dy: v128,
  x: v128,
  center: v128,
  scale: v128,
  slope: v128,
  offset: v128,
): v128 {
  return nmadd<T>(v128.sub<T>(x, center), slope, madd<T>(dy, scale, offset));
}

/** One plane. Subtracting a center that is 0 costs no time: stores are the limit. */
function gradientPlane<T>(dx: usize, dy: usize, a: usize, record: usize, plane: usize): void {
  const center = v128.load(record, CENTER);
  const scale = v128.load(record, SCALE);
  const slope = v128.load(record, SLOPE);
  const offset = v128.load(record, OFFSET);
  const end = a + plane;
  for (const turns = a + (plane & ~(TURN - 1)); a < turns; ) {
    const x0 = v128.load(a, 0);
    const x1 = v128.load(a, 16);
    v128.store(dx, gradient<T>(v128.load(dy, 0), x0, center, scale, slope, offset), 0);
    v128.store(dx, gradient<T>(v128.load(dy, 16), x1, center, scale, slope, offset), 16);
    const x2 = v128.load(a, 32);
    const x3 = v128.load(a, 48);
    v128.store(dx, gradient<T>(v128.load(dy, 32), x2, center, scale, slope, offset), 32);
    v128.store(dx, gradient<T>(v128.load(dy, 48), x3, center, scale, slope, offset), 48);
    dx += TURN;
    dy += TURN;
    a += TURN;
  }
  for (const vectors = end - (plane & 15); a < vectors; ) {
    const g = gradient<T>(v128.load(dy), v128.load(a), center, scale, slope, offset);
    v128.store(dx, g);
    dx += 16;
    dy += 16;
    a += 16;
  }
  while (a < end) {
    const g = gradient<T>(loadOne<T>(dy), loadOne<T>(a), center, scale, slope, offset);
    storeOne<T>(dx, g);
    dx += sizeof<T>();
    dy += sizeof<T>();
    a += sizeof<T>();
  }
}

/**
 * Writes dx = weight * invstd * (dy - meanDy - xhat * meanDyXhat), the means 0 where their
 * pointers are. dx may be dy or x.
 */
export function planeInputGradient<T>(
  dx: usize,
  dy: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  meanDy: usize,
  meanDyXhat: usize,
  channels: usize,
  samples: usize,
  stride: usize,
  values: usize,
): void {
  const plane = values * sizeof<T>();
  const records = scratch(channels * RECORD);
  for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
    const m = load<f64>(mean + c * 8);
    const s = load<f64>(invstd + c * 8);
    const center = centerOf<T>(m, s);
    const scale = s * parameter<T>(weight, c, 1);
    const slope = meanDy === 0 ? <f64>0 : load<f64>(meanDyXhat + c * 8) * s * scale;
    const level = meanDy === 0 ? <f64>0 : load<f64>(meanDy + c * 8) * scale;
    v128.store(record, v128.splat<T>(center), CENTER);
    v128.store(record, v128.splat<T>(<T>scale), SCALE);
    v128.store(record, v128.splat<T>(<T>slope), SLOPE);
    v128.store(record, v128.splat<T>(<T>((m - <f64>center) * slope - level)), OFFSET);
  }
  // The latest samples first: the pass before this one has left them in the caches.
  for (let n = samples; n > 0; ) {
    let at = --n * stride;
    for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
      gradientPlane<T>(dx + at, dy + at, x + at, record, plane);
      at += plane;
    }
  }
}
