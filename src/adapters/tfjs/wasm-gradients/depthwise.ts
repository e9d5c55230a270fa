/** Gradients of depthwise convolutions: of the filter and of the input. */

import {
  backend_util,
  type DepthwiseConv2dNativeBackpropFilterAttrs,
  type DepthwiseConv2dNativeBackpropFilterInputs,
  type DepthwiseConv2dNativeBackpropInputAttrs,
  type DepthwiseConv2dNativeBackpropInputInputs,
  depthwiseConv2d,
  reshape,
  reverse,
  sum,
  type Tensor4D,
} from '@tensorflow/tfjs-core';
import { surroundedGradient } from './geometry.js';
import { composed, floatsOf, type Kernel } from './kernel.js';

type Shape4D = Tensor4D['shape'];

/**
 * DepthwiseConv2dNativeBackpropFilter: few operations for each value, so plain loops over the
 * memory; sums in float64.
 */
export const depthwiseFilterGradient: Kernel<
  DepthwiseConv2dNativeBackpropFilterInputs,
  DepthwiseConv2dNativeBackpropFilterAttrs
> = ({ inputs: { x, dy }, attrs, backend }) => {
  const { strides, dilations, pad, dimRoundingMode, filterShape } = attrs;
  const shape = x.shape as Shape4D;
  const info = backend_util.computeConv2DInfo(
    shape,
    filterShape,
    strides,
    dilations,
    pad,
    dimRoundingMode,
    true,
  );
  const out = backend.makeOutput(filterShape, 'float32');
  const values = floatsOf(backend, x);
  const gradients = floatsOf(backend, dy);
  const filter = floatsOf(backend, out);
  const sums = new Float64Array(info.outChannels);
  for (let i = 0; i < info.filterHeight; i++) {
    for (let j = 0; j < info.filterWidth; j++) {
      sumProducts(sums, values, gradients, info, i, j);
      filter.set(sums, (i * info.filterWidth + j) * sums.length);
    }
  }
  return out;
};

/** Sums x dy over all pixels under the filter's pixel (i, j), for each output channel. */
function sumProducts(
  sums: Float64Array,
  x: Float32Array,
  dy: Float32Array,
  info: backend_util.Conv2DInfo,
  i: number,
  j: number,
): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = info;
  const down = i * info.dilationHeight - info.padInfo.top;
  const along = j * info.dilationWidth - info.padInfo.left;
  sums.fill(0);
  for (let n = 0; n < batchSize; n++) {
    for (let row = 0; row < outHeight; row++) {
      const h = row * info.strideHeight + down;
      if (h < 0 || h >= inHeight) continue;
      for (let column = 0; column < outWidth; column++) {
        const w = column * info.strideWidth + along;
        if (w < 0 || w >= inWidth) continue;
        const from = ((n * inHeight + h) * inWidth + w) * inChannels;
        const to = ((n * outHeight + row) * outWidth + column) * outChannels;
        addProducts(sums, x, dy, from, to, inChannels, outChannels / inChannels);
      }
    }
  }
}

/** One pixel's part of the sums; each of `channels` channels has `multiplier` output channels. */
function addProducts(
  sums: Float64Array,
  x: Float32Array,
  dy: Float32Array,
  from: number,
  to: number,
  channels: number,
  multiplier: number,
): void {
  if (multiplier === 1) {
    for (let c = 0; c < channels; c++) sums[c] += x[from + c] * dy[to + c];
    return;
  }
  for (let c = 0, k = 0; c < channels; c++) {
    for (let m = 0; m < multiplier; m++, k++) sums[k] += x[from + c] * dy[to + k];
  }
}

/**
 * DepthwiseConv2dNativeBackpropInput: a depthwise convolution of dy with the flipped filter, and a
 * sum over the output channels of each input channel.
 */
export const depthwiseInputGradient = composed<
  DepthwiseConv2dNativeBackpropInputInputs,
  DepthwiseConv2dNativeBackpropInputAttrs
>(({ dy, filter }, { strides, dilations, pad, dimRoundingMode, inputShape }) => {
  const shape = filter.shape as Shape4D;
  const info = backend_util.computeConv2DInfo(
    inputShape,
    shape,
    strides,
    dilations,
    pad,
    dimRoundingMode,
    true,
  );
  const [height, width, channels, multiplier] = shape;
  const flipped: Tensor4D = reshape(reverse(filter, [0, 1]), [
    height,
    width,
    channels * multiplier,
    1,
  ]);
  const spaced = surroundedGradient(dy as Tensor4D, info);
  const apart: [number, number] = [info.dilationHeight, info.dilationWidth];
  const wide = depthwiseConv2d(spaced, flipped, 1, 'valid', 'NHWC', apart);
  return multiplier === 1 ? wide : sum(reshape(wide, [...inputShape, multiplier]), -1);
});
