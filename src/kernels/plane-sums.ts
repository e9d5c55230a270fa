/**
 * The atoms of reproducible statistics: sums over one (sample, channel) plane, in a fixed order,
 * in float64, whose exact sum the kernels pack. A plane is never cut, however a batch is split.
 */

import type { FloatArray } from '../core/dtype.js';
import { ExactSum, PACKED_SUM } from '../core/exact-sum.js';
import { type Layout, valuesPerChannel } from '../core/layout.js';

const sum = new ExactSum();

/**
 * Visits the planes of one channel: from `start` to before `end`, `stride` apart.
 * The order is by sample, then by position, in both layouts.
 */
export function forEachPlane(
  { samples, channels, plane, channelsLast }: Layout,
  channel: number,
  visit: (start: number, end: number, stride: number) => void,
): void {
  const stride = channelsLast ? channels : 1;
  const first = channelsLast ? channel : channel * plane;
  for (let sample = 0; sample < samples; sample++) {
    const start = sample * channels * plane + first;
    visit(start, start + plane * stride, stride);
  }
}

export function exactSums(out: Float64Array, x: FloatArray, layout: Layout): number {
  packPlanes(out, layout, () => (start, end, stride) => {
    let atom = 0;
    for (let i = start; i < end; i += stride) atom += x[i];
    return atom;
  });
  return valuesPerChannel(layout);
}

export function exactSquares(
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

export function exactGradientSums(
  out: Float64Array,
  dy: FloatArray,
  x: FloatArray,
  mean: Float64Array,
  layout: Layout,
): void {
  exactSums(out, dy, layout);
  const products = out.subarray(layout.channels * PACKED_SUM);
  packPlanes(products, layout, (c) => (start, end, stride) => {
    const center = mean[c];
    let atom = 0;
    for (let i = start; i < end; i += stride) atom += dy[i] * (x[i] - center);
    return atom;
  });
}

export function mergeExact(
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
