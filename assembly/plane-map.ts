/**
 * Stages `normalize` and `input-gradient` over channels-first planes of 16 bytes and more; see
 * plane-sums.ts. Gradient: `input-gradient`.
 */

import { Call } from './call';
import { center, offset, scale, setCoefficients, slope } from './channel';
import {
  differ,
  hasNear,
  load0,
  madd,
  Off,
  On,
  on,
  STORED,
  store0,
  store01,
  store23,
  TURN,
  WIDTH,
} from './lanes';
import { scratch } from './scratch';

/** Bytes of a channel's record: its coefficients. */
const RECORD: usize = 64;
const CENTER: usize = 0;
const SCALE: usize = 16;
const OFFSET: usize = 32;
const SLOPE: usize = 48;

/** Computes y or dx of one vector. */
function map<Gradient, Near>(dy: usize, x: usize, c: v128, s: v128, o: v128, k: v128): v128 {
  const d = differ<Near>(load0(x), c);
  return on<Gradient>() ? madd(d, k, madd(load0(dy), s, o)) : madd(d, s, o);
}

/** Maps one plane. Near: the center is 0. */
function mapPlane<Gradient, Near>(
  out: usize,
  dy: usize,
  x: usize,
  record: usize,
  plane: usize,
): void {
  const c = v128.load(record, CENTER);
  const s = v128.load(record, SCALE);
  const o = v128.load(record, OFFSET);
  const k = on<Gradient>() ? v128.load(record, SLOPE) : o;
  // The last whole vector overlaps those before it; read first: the output may be an input.
  const back = plane - WIDTH;
  const end = out + back;
  const last = map<Gradient, Near>(dy + back, x + back, c, s, o, k);
  for (const turns = x + (plane & ~(TURN - 1)); x < turns; ) {
    const v0 = map<Gradient, Near>(dy, x, c, s, o, k);
    const v1 = map<Gradient, Near>(dy + WIDTH, x + WIDTH, c, s, o, k);
    store01(out, v0, v1);
    const v2 = map<Gradient, Near>(dy + 2 * WIDTH, x + 2 * WIDTH, c, s, o, k);
    const v3 = map<Gradient, Near>(dy + 3 * WIDTH, x + 3 * WIDTH, c, s, o, k);
    store23(out, v2, v3);
    out += TURN;
    if (on<Gradient>()) dy += TURN;
    x += TURN;
  }
  if (plane & (2 * WIDTH)) {
    const v0 = map<Gradient, Near>(dy, x, c, s, o, k);
    store01(out, v0, map<Gradient, Near>(dy + WIDTH, x + WIDTH, c, s, o, k));
    out += 2 * WIDTH;
    if (on<Gradient>()) dy += 2 * WIDTH;
    x += 2 * WIDTH;
  }
  if (plane & WIDTH) store0(out, map<Gradient, Near>(dy, x, c, s, o, k));
  if (plane & (WIDTH - 1)) store0(end, last);
}

function mapPlanes<Gradient>(call: Call): void {
  const plane = call.values * STORED;
  const records = scratch(call.channels * RECORD);
  const end = records + call.channels * RECORD;
  for (let c: usize = 0, record = records; record < end; c++, record += RECORD) {
    setCoefficients<Gradient>(call, c);
    v128.store(record, v128.splat<T>(center), CENTER);
    v128.store(record, v128.splat<T>(scale), SCALE);
    v128.store(record, v128.splat<T>(offset), OFFSET);
    if (on<Gradient>()) v128.store(record, v128.splat<T>(slope), SLOPE);
  }
  // Read once, not from `call` for each plane, after stores that might have changed it.
  const stride = call.stride;
  const out = call.out;
  const dy = call.dy;
  const x = call.x;
  // The latest samples first: the pass before this one has left them in the caches.
  for (let n = call.rows; n > 0; ) {
    let at = --n * stride;
    for (let record = records; record < end; record += RECORD) {
      // Subtracting a center that is 0 costs a gradient no time: its loads and stores are the limit.
      if (hasNear() && !on<Gradient>() && load<T>(record, CENTER) === 0) {
        mapPlane<Gradient, On>(out + at, 0, x + at, record, plane);
      } else {
        mapPlane<Gradient, Off>(out + at, dy + at, x + at, record, plane);
      }
      at += plane;
    }
  }
}

/** Writes y = (x - mean) * invstd * weight + bias. */
export function planeNormalize(call: Call): void {
  mapPlanes<Off>(call);
}

/** Writes dx = weight * invstd * (dy - meanDy - xhat * meanDyXhat). */
export function planeInputGradient(call: Call): void {
  mapPlanes<On>(call);
}
