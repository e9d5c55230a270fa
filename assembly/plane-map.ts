/**
 * Stages `normalize` and `input-gradient` over channels-first planes of 16 bytes and more; see
 * plane-sums.ts. Gradient: `input-gradient`.
 */

import { Call } from './call';
import { OFFSET, putCoefficients, SCALE, SLOPE } from './channel';
import {
  differ,
  hasNear,
  lastLanes,
  load0,
  loadOne,
  loadSplat,
  madd,
  Off,
  On,
  on,
  SIZE,
  STORED,
  store0,
  store01,
  store23,
  storeOne,
  TURN,
  WIDTH,
} from './lanes';
import { besides, MAP_RUN } from './plane-loops';
import { scratch } from './scratch';

/** Computes y or dx of one vector. */
function map<Gradient, Near>(dy: usize, x: usize, c: v128, s: v128, o: v128, k: v128): v128 {
  const d = differ<Near>(load0(x), c);
  return on<Gradient>() ? madd(d, k, madd(load0(dy), s, o)) : madd(d, s, o);
}

/** Maps whole vectors. Near: the center is 0. */
function mapVectors<Gradient, Near>(
  out: usize,
  dy: usize,
  x: usize,
  bytes: usize,
  c: v128,
  s: v128,
  o: v128,
  k: v128,
): void {
  for (const turns = x + (bytes & ~(TURN - 1)); x < turns; ) {
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
  if (bytes & (2 * WIDTH)) {
    const v0 = map<Gradient, Near>(dy, x, c, s, o, k);
    store01(out, v0, map<Gradient, Near>(dy + WIDTH, x + WIDTH, c, s, o, k));
    out += 2 * WIDTH;
    if (on<Gradient>()) dy += 2 * WIDTH;
    x += 2 * WIDTH;
  }
  if (bytes & WIDTH) store0(out, map<Gradient, Near>(dy, x, c, s, o, k));
}

/** Maps `bytes` bytes of elements, less than a vector of them. */
function mapRest<Gradient>(
  out: usize,
  dy: usize,
  x: usize,
  bytes: usize,
  c: v128,
  s: v128,
  o: v128,
  k: v128,
): void {
  for (const end = out + bytes; out < end; out += STORED, x += STORED) {
    const d = v128.sub<T>(loadOne(x), c);
    storeOne(out, on<Gradient>() ? madd(d, k, madd(loadOne(dy), s, o)) : madd(d, s, o));
    if (on<Gradient>()) dy += STORED;
  }
}

/**
 * Maps planes of one sample, which lie side by side, vector by vector: a vector over the end of
 * a plane is computed for both channels. So all vectors are aligned as the first one is; vectors
 * that begin at the planes would cross lines of the cache.
 */
function mapSample<Gradient>(
  out: usize,
  dy: usize,
  x: usize,
  channels: usize,
  plane: usize,
  centers: usize,
  gap: usize,
): void {
  const end = centers + channels * SIZE;
  let left = plane;
  let at: usize = 0;
  for (let p = centers; p < end; ) {
    const c = loadSplat(p);
    const s = loadSplat(p + SCALE * gap);
    const o = loadSplat(p + OFFSET * gap);
    const k = on<Gradient>() ? loadSplat(p + SLOPE * gap) : o;
    const rest = left & (WIDTH - 1);
    const whole = left - rest;
    // Subtracting a center that is 0 costs a gradient no time: its loads and stores are the limit.
    if (hasNear() && !on<Gradient>() && load<T>(p) === 0) {
      mapVectors<Gradient, On>(out + at, 0, x + at, whole, c, s, o, k);
    } else {
      mapVectors<Gradient, Off>(out + at, dy + at, x + at, whole, c, s, o, k);
    }
    at += whole;
    p += SIZE;
    left = plane;
    if (rest === 0) continue;
    if (p === end) {
      mapRest<Gradient>(out + at, dy + at, x + at, rest, c, s, o, k);
      return;
    }
    const own = map<Gradient, Off>(dy + at, x + at, c, s, o, k);
    const slopes = on<Gradient>() ? loadSplat(p + SLOPE * gap) : o;
    const scales = loadSplat(p + SCALE * gap);
    const offsets = loadSplat(p + OFFSET * gap);
    const next = map<Gradient, Off>(dy + at, x + at, loadSplat(p), scales, offsets, slopes);
    store0(out + at, v128.bitselect(next, own, lastLanes(WIDTH - rest)));
    at += WIDTH;
    left -= WIDTH - rest;
  }
}

function mapPlanes<Gradient>(call: Call): void {
  const plane = call.values * STORED;
  const channels = call.channels;
  const gap = (channels + 1) * SIZE;
  const centers = scratch(4 * gap);
  putCoefficients<Gradient>(call, 0, channels, centers, gap);
  // Read once, not from `call` for each sample, after stores that might have changed it.
  const stride = call.stride;
  const out = call.out;
  const dy = call.dy;
  const x = call.x;
  const most = besides(call.rows, stride);
  const width = most > 1 ? 1 : channels;
  const run = most > 1 ? MAP_RUN : plane;
  // The latest samples first: the pass before this one has left them in the caches.
  for (let n = call.rows; n > 0; ) {
    const several = min(n, most);
    n -= several;
    for (let c: usize = 0; c < channels; c += width) {
      for (let done: usize = 0; done < plane; done += run) {
        const bytes = min(run, plane - done);
        let at = n * stride + c * plane + done;
        for (const end = at + several * stride; at < end; at += stride) {
          mapSample<Gradient>(out + at, dy + at, x + at, width, bytes, centers + c * SIZE, gap);
        }
      }
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
