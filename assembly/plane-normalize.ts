/** Stage `normalize` over channels-first planes of 16 bytes and more; see plane-moments.ts. */

import { centerOf, parameter } from './channel';
import { differ, hasNear, madd, Off, On, TURN } from './lanes';
import { scratch } from './scratch';

/** Bytes of a channel's record: y = (x - center) * scale + offset. */
const RECORD: usize = 48;
const CENTER: usize = 0;
const SCALE: usize = 16;
const OFFSET: usize = 32;

/** One plane. Near: the center is 0. */
function normalizePlane<T, Near>(y: usize, a: usize, record: usize, plane: usize): void {
  const center = v128.load(record, CENTER);
  const scale = v128.load(record, SCALE);
  const offset = v128.load(record, OFFSET);
  // The last whole vector, over those before it; read first: y may be x.
  const end = y + plane - 16;
  const last = madd<T>(differ<T, Near>(v128.load(a + plane - 16), center), scale, offset);
  for (const turns = a + (plane & ~(TURN - 1)); a < turns; ) {
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 0), center), scale, offset), 0);
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 16), center), scale, offset), 16);
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 32), center), scale, offset), 32);
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 48), center), scale, offset), 48);
    a += TURN;
    y += TURN;
  }
  if (plane & 32) {
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 0), center), scale, offset), 0);
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 16), center), scale, offset), 16);
    a += 32;
    y += 32;
  }
  if (plane & 16) v128.store(y, madd<T>(differ<T, Near>(v128.load(a), center), scale, offset));
  if (plane & 15) v128.store(end, last);
}

/** Writes y = (x - mean) * invstd * weight + bias. y may be x. */
export function planeNormalize<T>(
  y: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
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
    const scale = <T>(s * parameter<T>(weight, c, 1));
    v128.store(record, v128.splat<T>(center), CENTER);
    v128.store(record, v128.splat<T>(scale), SCALE);
    // What center and scale lost of the mean goes into the offset.
    const offset = parameter<T>(bias, c, 0) - (m - <f64>center) * <f64>scale;
    v128.store(record, v128.splat<T>(<T>offset), OFFSET);
  }
  // The latest samples first: the pass before this one has left them in the caches.
  for (let n = samples; n > 0; ) {
    let at = --n * stride;
    for (let c: usize = 0, record = records; c < channels; c++, record += RECORD) {
      if (hasNear<T>() && load<T>(record, CENTER) === 0) {
        normalizePlane<T, On>(y + at, x + at, record, plane);
      } else {
        normalizePlane<T, Off>(y + at, x + at, record, plane);
      }
      at += plane;
    }
  }
}
