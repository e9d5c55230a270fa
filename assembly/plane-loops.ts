/**
 * The loops of sums over planes: d = x - shift and d * d, or dy and dy * d (Gradient). Each channel
 * has a record of its shift and float64 sums.
 */

import {
  addTo,
  depthOf,
  differ,
  lastLanes,
  load0,
  load1,
  load2,
  load3,
  madd,
  on,
  productOf,
  promote,
  sumOf,
  TURN,
  WIDTH,
} from './lanes';

/** Bytes of a channel's record. */
export const RECORD: usize = 48;
export const SHIFT: usize = 0;
export const SUM: usize = 16;
export const PRODUCTS: usize = 32;

/** Bytes of a plane before sums over several planes are promoted: every turn adds to chains. */
export const CHAIN: usize = 16 * WIDTH;

/**
 * Samples of arrays in memory whose planes go side by side, a run of each in turn. Each is a stream
 * of its own for the hardware's prefetching, which has time to go to the next page while the others
 * are read. Arrays in the last-level cache gain nothing.
 */
const SAMPLES: usize = 4;
const CACHED_BYTES: usize = 8 << 20;

/** Bytes of a plane that are mapped before those of the next sample, of several side by side. */
export const MAP_RUN: usize = 7 * TURN;

/** Samples that go side by side, of an array with as many and `stride` bytes from one to the next. */
export function besides(samples: usize, stride: usize): usize {
  return samples * stride > CACHED_BYTES ? SAMPLES : 1;
}

/** Begins the record of a channel. */
export function begin(record: usize, shift: T): void {
  const zero = i64x2.splat(0);
  v128.store(record, v128.splat<T>(shift), SHIFT);
  v128.store(record, zero, SUM);
  v128.store(record, zero, PRODUCTS);
}

/**
 * Adds the sums of one plane to `record`. Near: the shift is 0. Atom: writes them to `atom` and,
 * `next` bytes further, instead.
 */
export function planeSums<Gradient, Near, Atom>(
  dy: usize,
  x: usize,
  record: usize,
  plane: usize,
  atom: usize = 0,
  next: usize = 0,
): void {
  const shift = v128.load(record, SHIFT);
  const zero = i64x2.splat(0);
  let s0 = zero;
  let s1 = zero;
  let q0 = zero;
  let q1 = zero;
  let q2 = zero;
  let q3 = zero;
  let sums = zero;
  let products = zero;
  let turns = plane / TURN;
  while (turns > 0) {
    let chain = min(turns, depthOf<Near>());
    turns -= chain;
    do {
      const d0 = differ<Near>(load0(x), shift);
      const d1 = differ<Near>(load1(x), shift);
      const g0 = on<Gradient>() ? load0(dy) : d0;
      const g1 = on<Gradient>() ? load1(dy) : d1;
      s0 = v128.add<T>(s0, v128.add<T>(g0, g1));
      q0 = madd(d0, g0, q0);
      q1 = madd(d1, g1, q1);
      const d2 = differ<Near>(load2(x), shift);
      const d3 = differ<Near>(load3(x), shift);
      const g2 = on<Gradient>() ? load2(dy) : d2;
      const g3 = on<Gradient>() ? load3(dy) : d3;
      s1 = v128.add<T>(s1, v128.add<T>(g2, g3));
      q2 = madd(d2, g2, q2);
      q3 = madd(d3, g3, q3);
      x += TURN;
      if (on<Gradient>()) dy += TURN;
    } while (--chain > 0);
    if (turns > 0) {
      sums = f64x2.add(sums, promote(v128.add<T>(s0, s1)));
      products = f64x2.add(products, promote(sumOf(q0, q1, q2, q3)));
      s0 = s1 = q0 = q1 = q2 = q3 = zero;
    }
  }
  const tail = plane % TURN;
  if (tail & (2 * WIDTH)) {
    const d0 = differ<Near>(load0(x), shift);
    const d1 = differ<Near>(load1(x), shift);
    const g0 = on<Gradient>() ? load0(dy) : d0;
    const g1 = on<Gradient>() ? load1(dy) : d1;
    s0 = v128.add<T>(s0, g0);
    s1 = v128.add<T>(s1, g1);
    q0 = madd(d0, g0, q0);
    q1 = madd(d1, g1, q1);
  }
  if (tail & WIDTH) {
    const d2 = differ<Near>(load0(x + (tail & (2 * WIDTH))), shift);
    const g2 = on<Gradient>() ? load0(dy + (tail & (2 * WIDTH))) : d2;
    s0 = v128.add<T>(s0, g2);
    q2 = madd(d2, g2, q2);
  }
  if (tail & (WIDTH - 1)) {
    // The last vector of the plane: lanes that were counted already are masked, in both factors
    // (0 * infinity would be NaN).
    const mask = lastLanes(tail & (WIDTH - 1));
    const d3 = v128.and(differ<Near>(load0(x + tail - WIDTH), shift), mask);
    const g3 = on<Gradient>() ? v128.and(load0(dy + tail - WIDTH), mask) : d3;
    s1 = v128.add<T>(s1, g3);
    q3 = madd(d3, g3, q3);
  }
  sums = f64x2.add(sums, promote(v128.add<T>(s0, s1)));
  products = f64x2.add(products, promote(sumOf(q0, q1, q2, q3)));
  if (on<Atom>()) {
    const low = v128.shuffle<i64>(sums, products, 0, 2);
    const both = f64x2.add(low, v128.shuffle<i64>(sums, products, 1, 3));
    v128.store64_lane(atom, both, 0);
    v128.store64_lane(atom + next, both, 1);
  } else {
    addTo(record + SUM, sums);
    addTo(record + PRODUCTS, products);
  }
}

/** The sum of one vector of each of four planes (K: i32) or two (i16). */
function sumOfTurn<K>(p0: usize, p1: usize, p2: usize, p3: usize): v128 {
  const two = v128.add<T>(load0(p0), load0(p1));
  return sizeof<K>() === 4 ? v128.add<T>(two, v128.add<T>(load0(p2), load0(p3))) : two;
}

/** The sum of the vectors' products with those `delta` bytes further. */
function productsOfTurn<K>(delta: usize, p0: usize, p1: usize, p2: usize, p3: usize): v128 {
  const two = productOf(load0(p0), load0(p0 + delta), load0(p1), load0(p1 + delta));
  if (sizeof<K>() !== 4) return two;
  return v128.add<T>(two, productOf(load0(p2), load0(p2 + delta), load0(p3), load0(p3 + delta)));
}

/**
 * Adds the sums of K planes near 0, `stride` bytes apart, to `record`: i32 four, i16 two. Chain by
 * chain. Vectors of gradients begin `lead` bytes before the planes, so that none crosses a line of
 * the cache, and lanes of other planes are masked; moments, which load half as much, gain nothing.
 */
export function smallSums<Gradient, K>(
  dy: usize,
  x: usize,
  lead: usize,
  stride: usize,
  record: usize,
  plane: usize,
): void {
  const four = sizeof<K>() === 4;
  const delta = on<Gradient>() ? dy - x : 0;
  let sum = i64x2.splat(0);
  let products = sum;
  let p0 = on<Gradient>() ? x - lead : x;
  let p1 = p0 + stride;
  let p2 = four ? p1 + stride : p0;
  let p3 = four ? p2 + stride : p0;
  if (on<Gradient>() && lead) {
    const mask = lastLanes(WIDTH - lead);
    sum = v128.and(sumOfTurn<K>(p0 + delta, p1 + delta, p2 + delta, p3 + delta), mask);
    products = v128.and(productsOfTurn<K>(delta, p0, p1, p2, p3), mask);
    p0 += WIDTH;
    p1 += WIDTH;
    p2 += WIDTH;
    p3 += WIDTH;
    plane -= WIDTH - lead;
  }
  const whole = p0 + (plane & ~(WIDTH - 1));
  for (;;) {
    for (const end = min(whole, p0 + CHAIN); p0 < end; ) {
      const d0 = load0(p0);
      const d1 = load0(p1);
      const g0 = on<Gradient>() ? load0(p0 + delta) : d0;
      const g1 = on<Gradient>() ? load0(p1 + delta) : d1;
      if (four) {
        const d2 = load0(p2);
        const d3 = load0(p3);
        const g2 = on<Gradient>() ? load0(p2 + delta) : d2;
        const g3 = on<Gradient>() ? load0(p3 + delta) : d3;
        sum = v128.add<T>(sum, sumOf(g0, g1, g2, g3));
        const all = v128.add<T>(productOf(d0, g0, d1, g1), productOf(d2, g2, d3, g3));
        products = v128.add<T>(products, all);
      } else {
        sum = v128.add<T>(sum, v128.add<T>(g0, g1));
        products = v128.add<T>(products, productOf(d0, g0, d1, g1));
      }
      p0 += WIDTH;
      p1 += WIDTH;
      p2 += WIDTH;
      p3 += WIDTH;
    }
    if (p0 >= whole) break;
    addTo(record + SUM, promote(sum));
    addTo(record + PRODUCTS, promote(products));
    sum = products = i64x2.splat(0);
  }
  const rest = plane & (WIDTH - 1);
  if (rest) {
    const others = lastLanes(WIDTH - rest);
    const own = sumOfTurn<K>(p0 + delta, p1 + delta, p2 + delta, p3 + delta);
    sum = v128.add<T>(sum, v128.andnot(own, others));
    const all = productsOfTurn<K>(delta, p0, p1, p2, p3);
    products = v128.add<T>(products, v128.andnot(all, others));
  }
  addTo(record + SUM, promote(sum));
  addTo(record + PRODUCTS, promote(products));
}
