/** Conv2DBackpropInput: the input's gradient of a convolution, and conv2dTranspose itself. */

import {
  backend_util,
  type Conv2DBackpropInputAttrs,
  type Conv2DBackpropInputInputs,
  conv2d,
  reverse,
  type Tensor4D,
  transpose,
} from '@tensorflow/tfjs-core';
import { isSurroundable, surroundedGradient } from './geometry.js';
import { composed, type Kernel } from './kernel.js';

type ConvInput = Kernel<Conv2DBackpropInputInputs, Conv2DBackpropInputAttrs>;

/**
 * A convolution of dy, with zeros between and around its pixels, with the flipped filter. Falls back
 * to `slow`, the backend's own kernel, for NCHW and for more padding than the filter reaches.
 */
export function convInputGradient(slow: ConvInput): ConvInput {
  return (call) => {
    const { dy, filter } = call.inputs;
    const { strides, pad, dataFormat, dimRoundingMode, inputShape } = call.attrs;
    const format = backend_util.convertConv2DDataFormat(dataFormat);
    const info = backend_util.computeConv2DInfo(
      inputShape,
      filter.shape as Tensor4D['shape'],
      strides,
      1,
      pad,
      dimRoundingMode,
      false,
      format,
    );
    if (format !== 'channelsLast' || dy.dtype !== 'float32' || !isSurroundable(info)) {
      return slow(call);
    }
    return composed<Conv2DBackpropInputInputs, Conv2DBackpropInputAttrs>((tensors) => {
      const flipped = reverse(tensors.filter as Tensor4D, [0, 1]);
      const turned = transpose(flipped, [0, 1, 3, 2]);
      return conv2d(surroundedGradient(tensors.dy as Tensor4D, info), turned, 1, 'valid');
    })(call);
  };
}
