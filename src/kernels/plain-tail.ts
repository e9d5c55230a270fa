/** The plain kernels of calls with a tail: as in plain.ts, the specification of all kernels. */

import {
  fromBfloat16,
  fromFloat16,
  type TensorData,
  toBfloat16,
  toFloat16,
} from '../core/dtype.js';
import type { Layout } from '../core/layout.js';
import type { ChannelRange, Normalization, Tail, TailStages } from './kernels.js';
import { forEachPlane } from './planes.js';

type Convert = (value: number) => number;

const asIs: Convert = (value) => value;
const CONVERSIONS: Record<Layout['dtype'], readonly [decode: Convert, encode: Convert]> = {
  float32: [asIs, asIs],
  float64: [asIs, asIs],
  float16: [fromFloat16, toFloat16],
  bfloat16: [fromBfloat16, toBfloat16],
};

/** Visits every index of the channels of `range`, with its channel and its place in a mask. */
function forEachIndex(
  layout: Layout,
  { from, to }: ChannelRange,
  visit: (index: number, channel: number, place: number) => void,
): void {
  for (let c = from; c < to; c++) {
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) visit(i, c, p);
    });
  }
}

export const plainTails: TailStages = {
  normalize(
    y: TensorData,
    x: TensorData,
    { add, rectify }: Tail,
    { mean, invstd, weight, bias }: Normalization,
    layout: Layout,
    range: ChannelRange,
  ): void {
    const [decode, encode] = CONVERSIONS[layout.dtype];
    const zeros = layout.mask?.zero ? layout.mask.places : null;
    forEachIndex(layout, range, (i, c, place) => {
      const scale = invstd[c] * (weight === null ? 1 : weight[c]);
      const normalized = (decode(x[i]) - mean[c]) * scale + (bias === null ? 0 : bias[c]);
      const sum = add === null ? normalized : normalized + decode(add[i]);
      y[i] = (zeros !== null && zeros[place] === 0) || (rectify && sum < 0) ? 0 : encode(sum);
    });
  },

  gate(g: TensorData, dy: TensorData, y: TensorData, layout: Layout, range: ChannelRange): void {
    const [decode] = CONVERSIONS[layout.dtype];
    forEachIndex(layout, range, (i) => {
      g[i] = decode(y[i]) <= 0 ? 0 : dy[i];
    });
  },
};
