/** Conv2DBackpropFilter: the filter's gradient of conv1d, conv2d, conv2dTranspose and separableConv. */

import {
  backend_util,
  type Conv2DBackpropFilterAttrs,
  type Conv2DBackpropFilterInputs,
  conv2d,
  matMul,
  reshape,
  type Tensor,
  type Tensor4D,
  transpose,
} from '@tensorflow/tfjs-core';
import { crop, surround } from './geometry.js';
import { composed } from './kernel.js';

/**
 * A convolution again: of x with dy as the filter. Batch and channels change places, and the
 * strides become dilations. Filters of one pixel are a product of matrices.
 */
export const convFilterGradient = composed<Conv2DBackpropFilterInputs, Conv2DBackpropFilterAttrs>(
  ({ x, dy }, { strides, pad, dataFormat, dimRoundingMode, filterShape }) => {
    const format = backend_util.convertConv2DDataFormat(dataFormat);
    if (format !== 'channelsLast') {
      throw new RangeError(`Conv2DBackpropFilter: wasm takes NHWC only, got ${dataFormat}`);
    }
    const info = backend_util.computeConv2DInfo(
      x.shape as Tensor4D['shape'],
      filterShape,
      strides,
      1,
      pad,
      dimRoundingMode,
      false,
      format,
    );
    return isPointwise(info)
      ? reshape(productOverPixels(x, dy), filterShape)
      : convolved(x as Tensor4D, dy as Tensor4D, info);
  },
);

function isPointwise(info: backend_util.Conv2DInfo): boolean {
  const { top, bottom, left, right } = info.padInfo;
  const one = [info.filterHeight, info.filterWidth, info.strideHeight, info.strideWidth];
  return one.every((size) => size === 1) && top + bottom + left + right === 0;
}

/** Computes x^T dy, both with a row for each pixel. */
function productOverPixels(x: Tensor, dy: Tensor): Tensor {
  const rows = (t: Tensor) => reshape(t, [-1, t.shape[3] as number]);
  return matMul(transpose(rows(x)), rows(dy));
}

function convolved(x: Tensor4D, dy: Tensor4D, info: backend_util.Conv2DInfo): Tensor {
  const { strideHeight, strideWidth, outHeight, outWidth, filterHeight, filterWidth } = info;
  const { top, bottom, left, right } = info.padInfo;
  // Pixels that no filter reaches would make the result larger than the filter.
  const used = crop(
    surround(x, top, bottom, left, right),
    (outHeight - 1) * strideHeight + filterHeight,
    (outWidth - 1) * strideWidth + filterWidth,
  );
  const pictures: Tensor4D = transpose(used, [3, 1, 2, 0]);
  const filter: Tensor4D = transpose(dy, [1, 2, 0, 3]);
  const dilations: [number, number] = [strideHeight, strideWidth];
  return transpose(conv2d(pictures, filter, 1, 'valid', 'NHWC', dilations), [1, 2, 0, 3]);
}
