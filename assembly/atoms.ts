/**
 * The atoms of exact sums: sums over one (sample, channel) plane each, in the order of
 * plane-loops.ts or row-sums.ts, which depends on nothing but the plane. Small planes near 0 have
 * an order of their own, for which four of them go at once. docs/kernels.md tells their use.
 *
 * `call.second` gets, for each of `rows` samples, the sums of all channels and then their sums of
 * products; `call.mean` has the shifts, float64 (0: no shift). With dy they are gradient sums.
 */

import { Call } from './call';
import { addTo, hasNear, lastLanes, Off, On, on, SIZE, WIDTH } from './lanes';
import { begin, planeSums, RECORD, SHIFT } from './plane-loops';
import { PRODUCTS, SHIFT as SHIFTS, SUMS, sumChain, TOTALS } from './row-sums';
import { foursOfChain, gatherRow, markKinds, RUN } from './rows';
import { scratch } from './scratch';

/** The shift of a channel, as T. */
export function givenShift(call: Call, channel: usize): T {
  // -0 is no shift either.
  return call.mean === 0 ? <T>0 : <T>load<f64>(call.mean + channel * 8) + <T>0;
}

/** Float32 planes of fewer bytes go by fours if no shift is subtracted. */
const SMALL: usize = 64 * WIDTH;
/** Vectors of a chain of float32 sums: see depthOf in lanes.ts. */
const CHAIN: usize = 25 * WIDTH;

/** Sums the lanes of each of four planes' sums. */
function lanesOf(a: v128, b: v128, c: v128, d: v128): v128 {
  const low = v128.add<T>(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const high = v128.add<T>(
    v128.shuffle<i32>(c, d, 0, 4, 1, 5),
    v128.shuffle<i32>(c, d, 2, 6, 3, 7),
  );
  return v128.add<T>(v128.shuffle<i64>(low, high, 0, 2), v128.shuffle<i64>(low, high, 1, 3));
}

/** Adds four float32 to four float64 at `p`. */
function addFour(p: usize, sums: v128): void {
  addTo(p, f64x2.promote_low_f32x4(sums));
  addTo(p + 16, f64x2.promote_low_f32x4(v128.shuffle<i64>(sums, sums, 1, 0)));
}

/** Adds the sums of four planes near 0 to float64 at `atoms`, their products' `next` bytes on. */
function atomsOfFour<Gradient>(
  delta: usize,
  p0: usize,
  p1: usize,
  p2: usize,
  p3: usize,
  plane: usize,
  atoms: usize,
  next: usize,
): void {
  const end = p0 + plane;
  const whole = p0 + (plane & ~(WIDTH - 1));
  do {
    let s0 = i64x2.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let q0 = s0;
    let q1 = s0;
    let q2 = s0;
    let q3 = s0;
    for (const stop = min(whole, p0 + CHAIN); p0 < stop; ) {
      const d0 = v128.load(p0);
      const g0 = on<Gradient>() ? v128.load(p0 + delta) : d0;
      s0 = v128.add<T>(s0, g0);
      q0 = v128.add<T>(q0, v128.mul<T>(d0, g0));
      const d1 = v128.load(p1);
      const g1 = on<Gradient>() ? v128.load(p1 + delta) : d1;
      s1 = v128.add<T>(s1, g1);
      q1 = v128.add<T>(q1, v128.mul<T>(d1, g1));
      const d2 = v128.load(p2);
      const g2 = on<Gradient>() ? v128.load(p2 + delta) : d2;
      s2 = v128.add<T>(s2, g2);
      q2 = v128.add<T>(q2, v128.mul<T>(d2, g2));
      const d3 = v128.load(p3);
      const g3 = on<Gradient>() ? v128.load(p3 + delta) : d3;
      s3 = v128.add<T>(s3, g3);
      q3 = v128.add<T>(q3, v128.mul<T>(d3, g3));
      p0 += WIDTH;
      p1 += WIDTH;
      p2 += WIDTH;
      p3 += WIDTH;
    }
    const rest = end - p0;
    if (p0 === whole && rest > 0) {
      // The last vectors of the planes: lanes that were counted already are masked, in both factors.
      const mask = lastLanes(rest);
      const back = rest - WIDTH;
      const d0 = v128.and(v128.load(p0 + back), mask);
      const g0 = on<Gradient>() ? v128.and(v128.load(p0 + back + delta), mask) : d0;
      s0 = v128.add<T>(s0, g0);
      q0 = v128.add<T>(q0, v128.mul<T>(d0, g0));
      const d1 = v128.and(v128.load(p1 + back), mask);
      const g1 = on<Gradient>() ? v128.and(v128.load(p1 + back + delta), mask) : d1;
      s1 = v128.add<T>(s1, g1);
      q1 = v128.add<T>(q1, v128.mul<T>(d1, g1));
      const d2 = v128.and(v128.load(p2 + back), mask);
      const g2 = on<Gradient>() ? v128.and(v128.load(p2 + back + delta), mask) : d2;
      s2 = v128.add<T>(s2, g2);
      q2 = v128.add<T>(q2, v128.mul<T>(d2, g2));
      const d3 = v128.and(v128.load(p3 + back), mask);
      const g3 = on<Gradient>() ? v128.and(v128.load(p3 + back + delta), mask) : d3;
      s3 = v128.add<T>(s3, g3);
      q3 = v128.add<T>(q3, v128.mul<T>(d3, g3));
    }
    addFour(atoms, lanesOf(s0, s1, s2, s3));
    addFour(atoms + next, lanesOf(q0, q1, q2, q3));
  } while (p0 < whole);
}

/** Writes the atoms of four small planes near 0, `step` bytes apart, or only the first `count`. */
function putFour<Gradient>(
  delta: usize,
  x: usize,
  gap: usize,
  plane: usize,
  atoms: usize,
  step: usize,
  next: usize,
  count: usize,
  sums: usize,
): void {
  const zero = i64x2.splat(0);
  v128.store(sums, zero);
  v128.store(sums, zero, 16);
  v128.store(sums, zero, 32);
  v128.store(sums, zero, 48);
  const two = x + 2 * gap;
  atomsOfFour<Gradient>(delta, x, x + gap, two, two + gap, plane, sums, 32);
  for (; count > 0; count--, atoms += step, sums += 8) {
    store<f64>(atoms, load<f64>(sums));
    store<f64>(atoms + next, load<f64>(sums, 32));
  }
}

/** True if four channels are near 0. */
function areNear(record: usize): bool {
  const low = v128.or(v128.load(record, SHIFT), v128.load(record, RECORD + SHIFT));
  const more = record + 2 * RECORD;
  const high = v128.or(v128.load(more, SHIFT), v128.load(more, RECORD + SHIFT));
  return !v128.any_true(v128.or(low, high));
}

function atomsOfPlanes<Gradient>(call: Call): void {
  const plane = call.values * SIZE;
  const channels = call.channels;
  const stride = call.stride;
  const records = scratch(channels * RECORD + 64);
  const end = records + channels * RECORD;
  for (let c: usize = 0, record = records; record < end; c++, record += RECORD) {
    begin(record, givenShift(call, c));
  }
  const isSmall = sizeof<T>() === 4 && plane < SMALL;
  const next = 8 * call.total;
  const delta = on<Gradient>() ? call.dy - call.x : 0;
  for (let n: usize = 0; n < call.rows; ) {
    // Small planes: four samples of one channel, four channels, or one plane, taken four times.
    const count: usize = isSmall && n + 4 <= call.rows ? 4 : 1;
    let x = call.x + n * stride;
    let atoms = call.second + 2 * n * next;
    for (let record = records; record < end; record += RECORD, x += plane, atoms += 8) {
      const isNear = hasNear() && load<T>(record, SHIFT) === 0;
      if (isSmall && isNear) {
        if (count === 4) {
          putFour<Gradient>(delta, x, stride, plane, atoms, 2 * next, next, 4, end);
        } else if (record + 4 * RECORD <= end && areNear(record)) {
          putFour<Gradient>(delta, x, plane, plane, atoms, 8, next, 4, end);
          record += 3 * RECORD;
          x += 3 * plane;
          atoms += 24;
        } else {
          putFour<Gradient>(delta, x, 0, plane, atoms, 8, next, 1, end);
        }
        continue;
      }
      for (let k: usize = 0, p = x, atom = atoms; k < count; k++, p += stride, atom += 2 * next) {
        if (isNear) planeSums<Gradient, On, On>(p + delta, p, record, plane, atom, next);
        else planeSums<Gradient, Off, On>(p + delta, p, record, plane, atom, next);
      }
    }
    n += count;
  }
}

/** Writes the atoms of channels-first planes of 16 bytes and more. */
export function planeAtoms(call: Call): void {
  if (call.dy === 0) atomsOfPlanes<Off>(call);
  else atomsOfPlanes<On>(call);
}

/** Writes the atoms of one sample of `rows` rows, `next` bytes apart, of `k` channels. */
function putSample<Gradient>(
  arrays: usize,
  dy: usize,
  x: usize,
  k: usize,
  rows: usize,
  stride: usize,
  atoms: usize,
  next: usize,
): void {
  const gap = (rows >> 2) * stride;
  for (let fours = rows >> 2, isFirst = true; isFirst || fours > 0; isFirst = false) {
    const part = min(foursOfChain(false), fours);
    fours -= part;
    const rest = fours === 0 ? rows & 3 : 0;
    sumChain<Gradient>(arrays, dy, x, k * SIZE, gap, part, rest, stride);
    dy += part * stride;
    x += part * stride;
    if (isFirst) {
      gatherRow<On>(atoms, arrays + SUMS, k);
      gatherRow<On>(atoms + next, arrays + PRODUCTS, k);
    } else {
      gatherRow<Off>(atoms, arrays + SUMS, k);
      gatherRow<Off>(atoms + next, arrays + PRODUCTS, k);
    }
  }
}

/** Writes the atoms of planes of `values` rows, `stride` bytes apart. */
function atomsOfRows<Gradient>(call: Call): void {
  const channels = call.channels;
  const stride = call.stride;
  const planes = call.values;
  const samples = call.rows;
  const next = 8 * call.total;
  const run = min(channels, RUN / SIZE);
  const quarter = samples >> 2;
  const arrays = scratch(TOTALS);
  for (let first: usize = 0; first < channels; first += run) {
    const k = min(run, channels - first);
    for (let c: usize = 0; c < k; c++) {
      store<T>(arrays + c * SIZE, givenShift(call, first + c), SHIFTS);
    }
    markKinds(arrays, arrays + SHIFTS, k * SIZE);
    // The ends of four quarters last, since the second pass begins there, and finds them cached.
    for (let i: usize = 0; i < samples; i++) {
      const n = i < 4 * quarter ? (i & 3) * quarter + (i >> 2) : i;
      const at = first * SIZE + n * planes * stride;
      const dy = on<Gradient>() ? call.dy + at : 0;
      const x = call.x + at;
      const atoms = call.second + first * 8 + 2 * n * next;
      putSample<Gradient>(arrays, dy, x, k, planes, stride, atoms, next);
    }
  }
}

/** Writes the atoms of channels-last samples of `values` rows. */
export function rowAtoms(call: Call): void {
  if (call.dy === 0) atomsOfRows<Off>(call);
  else atomsOfRows<On>(call);
}
