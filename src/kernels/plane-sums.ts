/**
 * The atoms of reproducible statistics: sums over one (sample, channel) plane, in a fixed order,
 * in float64. Batches are split by sample, so a plane is never cut, whatever the split.
 */

import type { FloatArray } from '../core/dtype.js';
import { ExactSum, PACKED_SUM } from '../core/exact-sum.js';
import type { Layout } from '../core/layout.js';
import { forEachPlane } from './plain.js';

const sum = new ExactSum();

/** Packs the exact sum of x over each channel into `out`, PACKED_SUM numbers a channel. */
export function packSums(out: Float64Array, x: FloatArray, layout: Layout): void {
  packPlanes(out, layout, () => (start, end, stride) => {
    let atom = 0;
    for (let i = start; i < end; i += stride) atom += x[i];
    return atom;
  });
}

/** Packs the exact sum of (x - mean)^2 over each channel. */
export function packSquares(
  out: Float64Array,
  x: FloatArray,
  mean: Float64Array,
  layout: Layout,
): void {
  packPlanes(out, layout, (c) => (start, end, stride) => {
    const center = mean[c];
    let atom = 0;
    for (let i = start; i < end; i += stride) atom += (x[i] - center) ** 2;
    return atom;
  });
}

/** Packs the exact sum of dy * (x - mean) over each channel. */
export function packProducts(
  out: Float64Array,
  dy: FloatArray,
  x: FloatArray,
  mean: Float64Array,
  layout: Layout,
): void {
  packPlanes(out, layout, (c) => (start, end, stride) => {
    const center = mean[c];
    let atom = 0;
    for (let i = start; i < end; i += stride) atom += dy[i] * (x[i] - center);
    return atom;
  });
}

/** Reads the values of packed sums of `ranks` ranks, `stride` numbers a rank, merged. */
export function mergePacked(
  values: Float64Array,
  packed: Float64Array,
  ranks: number,
  stride: number,
): void {
  for (let c = 0; c < values.length; c++) {
    sum.clear();
    for (let rank = 0; rank < ranks; rank++) sum.merge(packed, rank * stride + c * PACKED_SUM);
    values[c] = sum.value();
  }
}

type PlaneSum = (start: number, end: number, stride: number) => number;

function packPlanes(
  out: Float64Array,
  layout: Layout,
  planeSum: (channel: number) => PlaneSum,
): void {
  for (let c = 0; c < layout.channels; c++) {
    const atomOf = planeSum(c);
    sum.clear();
    forEachPlane(layout, c, (start, end, stride) => sum.add(atomOf(start, end, stride)));
    sum.pack(out, c * PACKED_SUM);
  }
}
