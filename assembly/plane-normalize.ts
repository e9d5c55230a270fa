/** Stage `normalize` over channels-first planes of 16 bytes and more; see plane-moments.ts. */

import { centerOf, parameter } from './channel';
import { differ, hasNear, loadOne, madd, Off, On, storeOne, TURN } from './lanes';
import { scratch } from './scratch';
import { isSmall } from './small';

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
  const end = a + plane;
  for (const turns = a + (plane & ~(TURN - 1)); a < turns; ) {
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 0), center), scale, offset), 0);
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 16), center), scale, offset), 16);
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 32), center), scale, offset), 32);
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a, 48), center), scale, offset), 48);
    a += TURN;
    y += TURN;
  }
  for (const vectors = end - (plane & 15); a < vectors; ) {
    v128.store(y, madd<T>(differ<T, Near>(v128.load(a), center), scale, offset));
    a += 16;
    y += 16;
  }
  while (a < end) {
    storeOne<T>(y, madd<T>(differ<T, Near>(loadOne<T>(a), center), scale, offset));
    a += sizeof<T>();
    y += sizeof<T>();
  }
}

/** Normalises K planes, `stride` bytes apart, by `record`. */
export function normalizePlanes<T, K>(
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
  let p1 = p0 + stride;
  let p2 = sizeof<K>() > 2 ? p1 + stride : p0;
  let p3 = sizeof<K>() > 2 ? p2 + stride : p0;
  const rest = plane & 15;
  // Whole vectors at the ends of the planes, over those before them; read first: y may be x.
  const last = plane - 16;
  const e0 = madd<T>(v128.sub<T>(v128.load(p0 + last), center), scale, offset);
  const e1 = madd<T>(v128.sub<T>(v128.load(p1 + last), center), scale, offset);
  const e2 = madd<T>(v128.sub<T>(v128.load(p2 + last), center), scale, offset);
  const e3 = madd<T>(v128.sub<T>(v128.load(p3 + last), center), scale, offset);
  for (const whole = a + (plane & ~15); p0 < whole; ) {
    v128.store(p0 + delta, madd<T>(v128.sub<T>(v128.load(p0), center), scale, offset));
    p0 += 16;
    v128.store(p1 + delta, madd<T>(v128.sub<T>(v128.load(p1), center), scale, offset));
    p1 += 16;
    if (sizeof<K>() > 2) {
      v128.store(p2 + delta, madd<T>(v128.sub<T>(v128.load(p2), center), scale, offset));
      v128.store(p3 + delta, madd<T>(v128.sub<T>(v128.load(p3), center), scale, offset));
      p2 += 16;
      p3 += 16;
    }
  }
  if (rest) {
    const back = rest - 16 + delta;
    v128.store(p0 + back, e0);
    v128.store(p1 + back, e1);
    if (sizeof<K>() > 2) {
      v128.store(p2 + back, e2);
      v128.store(p3 + back, e3);
    }
  }
}

/** The planes of K samples, channel by channel. */
function smallPlanes<T, K>(
  y: usize,
  a: usize,
  stride: usize,
  records: usize,
  channels: usize,
  plane: usize,
): void {
  const end = records + channels * RECORD;
  for (let record = records; record < end; record += RECORD) {
    normalizePlanes<T, K>(y, a, stride, record, plane);
    a += plane;
    y += plane;
  }
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
  let n = samples;
  if (isSmall<T>(plane)) {
    for (; n >= 4; n -= 4) {
      const at = (n - 4) * stride;
      smallPlanes<T, i32>(y + at, x + at, stride, records, channels, plane);
    }
    if (n >= 2) {
      n -= 2;
      const at = n * stride;
      smallPlanes<T, i16>(y + at, x + at, stride, records, channels, plane);
    }
  }
  while (n > 0) {
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
