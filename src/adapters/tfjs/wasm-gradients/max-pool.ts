/** MaxPoolGrad: each window's gradient goes to the first of its largest values. */

import {
  backend_util,
  type MaxPoolGradAttrs,
  type MaxPoolGradInputs,
  type Tensor4D,
} from '@tensorflow/tfjs-core';
import { floatsOf, type Kernel } from './kernel.js';

/** Plain loops over the memory, all channels of a pixel at a time. */
export const maxPoolGradient: Kernel<MaxPoolGradInputs, MaxPoolGradAttrs> = (call) => {
  const { inputs, attrs, backend } = call;
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  const shape = inputs.input.shape as Tensor4D['shape'];
  const info = backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
  const out = backend.makeOutput(shape, 'float32');
  const x = floatsOf(backend, inputs.input);
  const dy = floatsOf(backend, inputs.dy);
  const dx = floatsOf(backend, out).fill(0);
  const largest = new Float32Array(info.inChannels);
  const places = new Int32Array(info.inChannels);
  let at = 0;
  for (let n = 0; n < info.batchSize; n++) {
    for (let row = 0; row < info.outHeight; row++) {
      for (let column = 0; column < info.outWidth; column++) {
        findLargest(largest, places, x, info, n, row, column);
        for (let c = 0; c < places.length; c++) dx[places[c]] += dy[at++];
      }
    }
  }
  return out;
};

/** Writes the largest values of each channel under an output pixel, and their places in x. */
function findLargest(
  largest: Float32Array,
  places: Int32Array,
  x: Float32Array,
  info: backend_util.Conv2DInfo,
  n: number,
  row: number,
  column: number,
): void {
  const { inHeight, inWidth, inChannels, padInfo } = info;
  const top = row * info.strideHeight - padInfo.top;
  const left = column * info.strideWidth - padInfo.left;
  const bottom = Math.min(inHeight, top + info.filterHeight);
  const right = Math.min(inWidth, left + info.filterWidth);
  let isFirst = true;
  for (let h = Math.max(0, top); h < bottom; h++) {
    for (let w = Math.max(0, left); w < right; w++) {
      const from = ((n * inHeight + h) * inWidth + w) * inChannels;
      for (let c = 0; c < inChannels; c++) {
        const value = x[from + c];
        if (!isFirst && !(value > largest[c])) continue;
        largest[c] = value;
        places[c] = from + c;
      }
      isFirst = false;
    }
  }
}
