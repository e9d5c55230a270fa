/** UnsortedSegmentSum: the gradient of gather, and so of embedding layers. */

import {
  type UnsortedSegmentSumAttrs,
  type UnsortedSegmentSumInputs,
  util,
} from '@tensorflow/tfjs-core';
import type { Kernel } from './kernel.js';

/** Adds up the rows of x with one segment id; ids below 0 or too large are left out. */
export const segmentSum: Kernel<UnsortedSegmentSumInputs, UnsortedSegmentSumAttrs> = (call) => {
  const { inputs, attrs, backend } = call;
  const { x, segmentIds } = inputs;
  const rest = x.shape.slice(segmentIds.shape.length);
  const width = util.sizeFromShape(rest);
  const out = backend.makeOutput([attrs.numSegments, ...rest], x.dtype);
  const values = backend.typedArrayFromHeap(x);
  const ids = backend.typedArrayFromHeap(segmentIds);
  const sums = backend.typedArrayFromHeap(out).fill(0);
  ids.forEach((id, row) => {
    if (id < 0 || id >= attrs.numSegments) return;
    for (let k = 0, from = row * width, to = id * width; k < width; k++) {
      sums[to + k] += values[from + k];
    }
  });
  return out;
};
