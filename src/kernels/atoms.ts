/**
 * The terms of exact sums, as all kernels have them: sums over one (sample, channel) plane each, in
 * an order and with roundings that depend on nothing but the plane, or single values if a plane has
 * less than a vector of 16 bytes. Batches are split by sample, so no plane is ever cut.
 *
 * The order is that of assembly/plane-loops.ts (channels first) and assembly/row-sums.ts (channels
 * last), in numbers of the element type: this file repeats them for engines without WebAssembly.
 */

import { computeDType, type FloatArray, widen } from '../core/dtype.js';
import { valuesOfWords, wordsOf } from '../core/exact-sum.js';
import type { Layout } from '../core/layout.js';
import type { ExactSums, ExactTerms } from './kernels.js';
import { forEachPlane } from './planes.js';

/** Bytes of a vector: a plane of fewer bytes has no sums, its values are terms. */
const VECTOR = 16;

/** True if each value of `layout` is a term of its own. */
export function isValues({ plane, dtype }: Layout): boolean {
  return plane * (dtype === 'float64' ? 8 : 4) < VECTOR;
}

/** A pair of numbers of a plane or value: dy or d = x - shift, and d; read by index. */
interface Reader {
  readonly factor: (index: number) => number;
  readonly difference: (index: number) => number;
}

/** Terms as numbers. */
type Numbers = Record<'x', FloatArray> & Record<'dy', FloatArray | null>;

type Round = (value: number) => number;

/** The sum of the factors and the sum of the products over one plane. */
type Atom = readonly [sum: number, product: number];

/** Turns and fours of rows before sums are promoted, as in assembly/lanes.ts and rows.ts. */
const NEAR_TURNS = 25;
const TURNS = 8;
const FOURS = 8;

/** Sums a plane of consecutive values, in vectors of `lanes` numbers. */
function atomOfPlane(
  read: Reader,
  start: number,
  length: number,
  lanes: number,
  r: Round,
  near: boolean,
): Atom {
  const sums = Array.from({ length: 2 }, () => new Float64Array(lanes));
  const products = Array.from({ length: 4 }, () => new Float64Array(lanes));
  const [sum, product] = [new Float64Array(2), new Float64Array(2)];
  /** Adds lane `lane` of a vector to its sums in a turn. */
  const add = (at: number, lane: number, s: number, p: number) => {
    const [g, d] = [read.factor(at), read.difference(at)];
    sums[s][lane] = r(sums[s][lane] + g);
    products[p][lane] = r(products[p][lane] + r(d * g));
  };
  const promote = () => {
    for (let lane = 0; lane < lanes; lane++) {
      const [q0, q1, q2, q3] = products.map((q) => q[lane]);
      partSum[lane] = r(sums[0][lane] + sums[1][lane]);
      partProduct[lane] = r(r(q0 + q1) + r(q2 + q3));
    }
    for (const [total, part] of [
      [sum, partSum],
      [product, partProduct],
    ]) {
      for (let i = 0; i < 2; i++) total[i] += lanes === 2 ? part[i] : part[i] + part[i + 2];
    }
    for (const chain of [...sums, ...products]) chain.fill(0);
  };
  const [partSum, partProduct] = [new Float64Array(lanes), new Float64Array(lanes)];
  const turn = 4 * lanes;
  const turns = Math.floor(length / turn);
  const depth = near ? NEAR_TURNS : TURNS;
  for (let t = 0; t < turns; t++) {
    const at = start + t * turn;
    for (let lane = 0; lane < lanes; lane++) {
      for (const half of [0, 1]) {
        const [a, b] = [at + 2 * half * lanes + lane, at + (2 * half + 1) * lanes + lane];
        sums[half][lane] = r(sums[half][lane] + r(read.factor(a) + read.factor(b)));
        for (const [q, index] of [
          [2 * half, a],
          [2 * half + 1, b],
        ]) {
          const square = r(read.difference(index) * read.factor(index));
          products[q][lane] = r(products[q][lane] + square);
        }
      }
    }
    if ((t + 1) % depth === 0 && t + 1 < turns) promote();
  }
  let at = start + turns * turn;
  const end = start + length;
  const vectors = Math.floor((end - at) / lanes);
  // The places of whole vectors after the turns: two go to both sums, one to the first.
  const places =
    vectors >= 2
      ? [
          [0, 0],
          [1, 1],
          [0, 2],
        ]
      : [[0, 2]];
  for (let v = 0; v < vectors; v++, at += lanes) {
    for (let lane = 0; lane < lanes; lane++) add(at + lane, lane, places[v][0], places[v][1]);
  }
  for (let lane = lanes - (end - at); at < end; at++, lane++) add(at, lane, 1, 3);
  promote();
  return [sum[0] + sum[1], product[0] + product[1]];
}

/** Small planes of float32, and vectors before sums are promoted, as in assembly/atoms.ts. */
const SMALL = 256;
const CHAIN = 25;

/** Sums a small plane of float32 about 0: one chain of sums for each of four lanes. */
function atomOfSmall(read: Reader, start: number, length: number): Atom {
  const r = Math.fround;
  const whole = length & ~3;
  let [sum, product, at] = [0, 0, 0];
  const [s, q] = [new Float32Array(4), new Float32Array(4)];
  const add = (i: number, lane: number) => {
    const [g, d] = [read.factor(start + i), read.difference(start + i)];
    s[lane] += g;
    q[lane] += r(d * g);
  };
  do {
    s.fill(0);
    q.fill(0);
    for (const stop = Math.min(whole, at + 4 * CHAIN); at < stop; at++) add(at, at % 4);
    if (at === whole) for (let i = whole; i < length; i++) add(i, 4 - (length - i));
    sum += r(r(s[0] + s[2]) + r(s[1] + s[3]));
    product += r(r(q[0] + q[2]) + r(q[1] + q[3]));
  } while (at < whole);
  return [sum, product];
}

/** Sums a plane of `rows` values, `stride` apart: by fours from four quarters, then the rest. */
function atomOfRows(read: Reader, start: number, rows: number, stride: number, r: Round): Atom {
  let fours = rows >> 2;
  const all = fours;
  const factor = (row: number) => read.factor(start + row * stride);
  const square = (row: number) => r(read.difference(start + row * stride) * factor(row));
  let [sum, product, row] = [0, 0, 0];
  do {
    let [s, q] = [0, 0];
    for (let i = Math.min(FOURS, fours); i > 0; i--, row++, fours--) {
      const [a, b, c, d] = [row, row + all, row + 2 * all, row + 3 * all];
      s = r(s + r(r(factor(a) + factor(b)) + r(factor(c) + factor(d))));
      q = r(q + r(r(square(a) + square(b)) + r(square(c) + square(d))));
    }
    if (fours === 0) {
      for (let rest = 4 * all; rest < rows; rest++) {
        s = r(s + factor(rest));
        q = r(q + square(rest));
      }
    }
    sum += s;
    product += q;
  } while (fours > 0);
  return [sum, product];
}

/** Sums a plane in float64, value by value: for products that float32 cannot hold. */
function preciseAtom(read: Reader, start: number, end: number, stride: number): Atom {
  let [sum, product] = [0, 0];
  for (let i = start; i < end; i += stride) {
    sum += read.factor(i);
    product += read.difference(i) * read.factor(i);
  }
  return [sum, product];
}

/** Float32 products that underflow are treated as numbers of this size. */
const LEAST_PRODUCT = 7e-43;

const exact: Round = (value) => value;

function readerOf({ x, dy }: Numbers, shift: number, r: Round, layout: Layout): Reader {
  const all = (i: number) => r(x[i] - shift);
  const counts = dy === null || layout.mask?.zero ? counterOf(layout) : null;
  const difference = counts === null ? all : (i: number) => (counts(i) ? all(i) : 0);
  if (dy === null) return { difference, factor: difference };
  return { difference, factor: counts === null ? (i) => dy[i] : (i) => (counts(i) ? dy[i] : 0) };
}

/** Tells if the value at an index counts; null: all values count. */
function counterOf({
  mask,
  channels,
  plane,
  channelsLast,
}: Layout): ((i: number) => boolean) | null {
  if (mask == null) return null;
  const { places } = mask;
  if (channelsLast) return (i) => places[Math.floor(i / channels)] !== 0;
  return (i) => places[Math.floor(i / (channels * plane)) * plane + (i % plane)] !== 0;
}

/** The exact sums of any arrays, one number at a time. */
export function exactSums(given: ExactTerms, layout: Layout): ExactSums {
  const { channels, plane, channelsLast } = layout;
  const dtype = computeDType(layout.dtype);
  const x = widen(given.x, layout.dtype);
  const dy = given.dy && widen(given.dy, layout.dtype);
  const terms = { ...given, x, dy };
  const { reach = null } = given;
  const lanes = dtype === 'float32' ? 4 : 2;
  const r: Round = dtype === 'float32' && !terms.precise ? Math.fround : exact;
  const single = isValues(layout);
  const columns: number[][] = Array.from({ length: 2 * channels }, () => []);
  const bounds = new Float64Array(2 * channels);
  for (let c = 0; c < channels; c++) {
    const exactly = terms.shift === null ? 0 : terms.shift[c];
    const shift = terms.precise || dtype === 'float64' ? exactly : Math.fround(exactly);
    const read = readerOf(terms, shift, single ? exact : r, layout);
    const raise = (i: number, bound: number) => {
      bounds[i] = Math.max(bounds[i], Number.isNaN(bound) ? Number.POSITIVE_INFINITY : bound);
    };
    const add = (sum: number, product: number, most = sum, mostProduct = product) => {
      columns[c].push(sum);
      columns[channels + c].push(product);
      raise(c, Math.abs(most));
      raise(channels + c, Math.abs(mostProduct));
    };
    if (single && dy !== null && reach === null && r !== exact) {
      bounds[channels + c] = LEAST_PRODUCT;
    }
    forEachPlane(layout, c, (start, end, stride) => {
      if (single) {
        for (let i = start; i < end; i += stride) {
          const [g, d] = [read.factor(i), read.difference(i)];
          if (dy === null) add(g, d * g, r(d), r(d) ** 2);
          else add(g, d * g, g, reach === null ? r(r(d) * g) : g * reach[c]);
        }
      } else if (terms.precise) {
        const [sum, product] = preciseAtom(read, start, end, stride);
        add(sum, product);
      } else {
        const [sum, product] = channelsLast
          ? atomOfRows(read, start, plane, stride, r)
          : lanes === 4 && shift === 0 && plane < SMALL
            ? atomOfSmall(read, start, plane)
            : atomOfPlane(read, start, plane, lanes, r, lanes === 4 && shift === 0);
        add(sum, product);
      }
    });
  }
  return {
    bounds,
    words(groupBounds: Float64Array): Float64Array {
      const words = new Float64Array(4 * channels + 1);
      for (const [i, column] of columns.entries()) {
        const { upper, lower } = wordsOf(column, groupBounds[i]);
        words[i] = upper;
        words[2 * channels + i] = lower;
      }
      return words;
    },
    values: valuesOfWords,
  };
}
