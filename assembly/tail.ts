/**
 * Stage `tail`: y = (x - mean) * invstd * weight + bias + z in one pass, or `low` if y is below
 * it: 0 for a rectifier, else -Infinity. NaN stays, and so does -0. z lies at `call.dy`; 0: there
 * is none. y may be x or z. Arrays as in call.ts; planes may have any length from 1.
 */

import { Call } from './call';
import { OFFSET as OFFSETS, putCoefficients, SCALE as SCALES } from './channel';
import { loadSplat, Off, On, on, SIZE, TURN, WIDTH } from './lanes';
import { besides, MAP_RUN } from './plane-loops';
import { channelsOfRun, coefficientArrays, foldArrays, foldOf, NEXT, putPositions } from './rows';
import { scratch } from './scratch';

/** Computes y of one vector: x, the coefficients, and z at `z`. */
function tailed<Add>(z: usize, x: v128, c: v128, s: v128, o: v128, low: v128): v128 {
  const y = v128.add<T>(v128.mul<T>(v128.sub<T>(x, c), s), o);
  return v128.pmax<T>(on<Add>() ? v128.add<T>(y, v128.load(z)) : y, low);
}

function storeOne(p: usize, v: v128): void {
  if (sizeof<T>() === 8) v128.store64_lane(p, v, 0);
  else v128.store32_lane(p, v, 0);
}

function tailPlane<Add>(
  out: usize,
  z: usize,
  x: usize,
  bytes: usize,
  c: v128,
  s: v128,
  o: v128,
  low: v128,
): void {
  const end = x + bytes;
  for (const turns = x + (bytes & ~(TURN - 1)); x < turns; ) {
    const v0 = tailed<Add>(z, v128.load(x), c, s, o, low);
    const v1 = tailed<Add>(z + WIDTH, v128.load(x, 16), c, s, o, low);
    const v2 = tailed<Add>(z + 2 * WIDTH, v128.load(x, 32), c, s, o, low);
    const v3 = tailed<Add>(z + 3 * WIDTH, v128.load(x, 48), c, s, o, low);
    v128.store(out, v0);
    v128.store(out, v1, 16);
    v128.store(out, v2, 32);
    v128.store(out, v3, 48);
    out += TURN;
    if (on<Add>()) z += TURN;
    x += TURN;
  }
  for (; x + WIDTH <= end; x += WIDTH) {
    v128.store(out, tailed<Add>(z, v128.load(x), c, s, o, low));
    out += WIDTH;
    if (on<Add>()) z += WIDTH;
  }
  for (; x < end; x += SIZE) {
    storeOne(out, tailed<Add>(z, v128.load(x), c, s, o, low));
    out += SIZE;
    if (on<Add>()) z += SIZE;
  }
}

function tailPlanes<Add>(call: Call, low: v128): void {
  const plane = call.values * SIZE;
  const gap = (call.channels + 1) * SIZE;
  const centers = scratch(3 * gap);
  const end = centers + call.channels * SIZE;
  putCoefficients<Off>(call, 0, call.channels, centers, gap);
  const stride = call.stride;
  const most = besides(call.rows, stride);
  const run = most > 1 ? MAP_RUN : plane;
  // The latest samples first: the pass before this one has left them in the caches.
  for (let n = call.rows; n > 0; ) {
    const several = min(n, most);
    n -= several;
    let first = n * stride;
    for (let p = centers; p < end; p += SIZE) {
      const c = loadSplat(p);
      const s = loadSplat(p + SCALES * gap);
      const o = loadSplat(p + OFFSETS * gap);
      for (const next = first + plane; first < next; ) {
        const bytes = min(run, next - first);
        for (let k: usize = 0, at = first; k < several; k++, at += stride) {
          const z = on<Add>() ? call.dy + at : 0;
          tailPlane<Add>(call.out + at, z, call.x + at, bytes, c, s, o, low);
        }
        first += bytes;
      }
    }
  }
}

/** Arrays of a run of positions: see rows.ts. */
const CENTER: usize = 0;
const SCALE: usize = NEXT;
const OFFSET: usize = 2 * NEXT;

/** Computes one vector of a row. */
function tailVector<Add>(
  out: usize,
  z: usize,
  x: usize,
  c: v128,
  s: v128,
  o: v128,
  low: v128,
): void {
  v128.store(out, tailed<Add>(z, v128.load(x), c, s, o, low));
}

/** Computes the first `bytes` bytes, whole vectors, of four rows that are `gap` bytes apart. */
function tailFour<Add>(
  arrays: usize,
  out: usize,
  z: usize,
  x: usize,
  gap: usize,
  bytes: usize,
  low: v128,
): void {
  for (let p: usize = 0; p < bytes; p += WIDTH) {
    const c = v128.load(arrays + p, CENTER);
    const s = v128.load(arrays + p, SCALE);
    const o = v128.load(arrays + p, OFFSET);
    let at = p;
    tailVector<Add>(out + at, z + at, x + at, c, s, o, low);
    at += gap;
    tailVector<Add>(out + at, z + at, x + at, c, s, o, low);
    at += gap;
    tailVector<Add>(out + at, z + at, x + at, c, s, o, low);
    at += gap;
    tailVector<Add>(out + at, z + at, x + at, c, s, o, low);
  }
}

/** Computes a row from byte `from` to byte `to`. */
function tailRow<Add>(
  arrays: usize,
  out: usize,
  z: usize,
  x: usize,
  from: usize,
  to: usize,
  low: v128,
): void {
  let p = from;
  for (; p + 2 * WIDTH <= to; p += 2 * WIDTH) {
    const at = arrays + p;
    const c0 = v128.load(at, CENTER);
    const c1 = v128.load(at + 16, CENTER);
    const s0 = v128.load(at, SCALE);
    const s1 = v128.load(at + 16, SCALE);
    const y0 = tailed<Add>(z + p, v128.load(x + p), c0, s0, v128.load(at, OFFSET), low);
    const y1 = tailed<Add>(
      z + p + 16,
      v128.load(x + p, 16),
      c1,
      s1,
      v128.load(at + 16, OFFSET),
      low,
    );
    v128.store(out + p, y0);
    v128.store(out + p, y1, 16);
  }
  for (; p < to; p += SIZE) {
    const at = arrays + p;
    const s = v128.load(at, SCALE);
    const x0 = v128.load(x + p);
    storeOne(out + p, tailed<Add>(z + p, x0, v128.load(at, CENTER), s, v128.load(at, OFFSET), low));
  }
}

/** Longer rows gain nothing from going by fours, whose places in the first-level cache collide. */
const LONG: usize = 1024;

/** Bytes of rows that are taken at once, the latest first: they are still cached. */
const CHUNK: usize = 128 << 10;
/** The same for arrays of more bytes than this: reading in long runs gains more there. */
const LARGE: usize = 4 << 20;

function tailRows<Add>(call: Call, low: v128): void {
  const repeat = call.values;
  const run = channelsOfRun(call.channels, repeat);
  const arrays = coefficientArrays(run);
  for (let first: usize = 0; first < call.channels; first += run) {
    const channels = min(run, call.channels - first);
    putPositions<Off>(call, first, channels, arrays);
    const width = channels * repeat * SIZE;
    const fold = foldOf(call.rows, call.stride, width, repeat);
    foldArrays(arrays, 3, width, fold);
    const stride = call.stride * fold;
    const bytes = call.rows * call.stride > LARGE ? LARGE : CHUNK;
    const chunk = fold * max(1, bytes / stride);
    const whole = (width * fold) & ~(WIDTH - 1);
    for (let end = call.rows; end > 0; ) {
      let row = end - min(chunk, end);
      let at = row * call.stride + first * repeat * SIZE;
      // Number i of a quarter of the chunk with the same of the other quarters.
      const fours = stride > LONG ? 0 : (end - row) / (4 * fold);
      const gap = fours * stride;
      for (let f = fours; f > 0; f--, at += stride) {
        const z = on<Add>() ? call.dy + at : 0;
        tailFour<Add>(arrays, call.out + at, z, call.x + at, gap, whole, low);
        for (let i = 0, b: usize = at; i < 4; i++, b += gap) {
          const own = on<Add>() ? call.dy + b : 0;
          tailRow<Add>(arrays, call.out + b, own, call.x + b, whole, width * fold, low);
        }
      }
      at += 3 * gap;
      for (row += 4 * fours * fold; row < end; row += fold, at += stride) {
        const z = on<Add>() ? call.dy + at : 0;
        const length = min(fold, end - row) * width;
        tailRow<Add>(arrays, call.out + at, z, call.x + at, 0, length, low);
      }
      end -= min(chunk, end);
    }
  }
}

function overPlanes(call: Call, low: v128): void {
  if (call.dy === 0) tailPlanes<Off>(call, low);
  else tailPlanes<On>(call, low);
}

function overRows(call: Call, low: v128): void {
  if (call.dy === 0) tailRows<Off>(call, low);
  else tailRows<On>(call, low);
}

/** Runs the stage without a rectifier, over planes. */
export function planeTail(call: Call): void {
  overPlanes(call, v128.splat<T>(-(<T>Infinity)));
}

/** Runs the stage over rows: see rows.ts. */
export function rowTail(call: Call): void {
  overRows(call, v128.splat<T>(-(<T>Infinity)));
}

/** Runs the stage with a rectifier. */
export function planeTailRectified(call: Call): void {
  overPlanes(call, v128.splat<T>(0));
}

export function rowTailRectified(call: Call): void {
  overRows(call, v128.splat<T>(0));
}
