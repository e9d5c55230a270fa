/** Zeros around and between pixels, which make gradients of convolutions convolutions. */

import {
  type backend_util,
  pad,
  reshape,
  slice,
  type Tensor,
  type Tensor4D,
} from '@tensorflow/tfjs-core';

type Size = [number, number, number, number];

/** Puts zeros above, below, to the left and to the right of pictures (N, H, W, C). */
export function surround(
  x: Tensor4D,
  top: number,
  bottom: number,
  left: number,
  right: number,
): Tensor4D {
  if (top === 0 && bottom === 0 && left === 0 && right === 0) return x;
  return pad(x, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
}

/** Cuts pictures to their upper left part, at most `height` x `width`. */
export function crop(x: Tensor4D, height: number, width: number): Tensor4D {
  const [n, h, w, c] = x.shape;
  if (h <= height && w <= width) return x;
  return slice(x, [0, 0, 0, 0], [n, Math.min(h, height), Math.min(w, width), c]);
}

/** Puts the pixels of pictures `rows` and `columns` apart, with zeros between them. */
function spread(x: Tensor4D, rows: number, columns: number): Tensor4D {
  const [n, h, w, c] = x.shape;
  let spaced = x;
  if (columns > 1) spaced = zerosBehind(spaced, [n * h, w, 1, c], columns - 1);
  if (rows > 1) spaced = zerosBehind(spaced, [n, h, 1, w * columns * c], rows - 1);
  const whole: Tensor4D = reshape(spaced, [n, h * rows, w * columns, c]);
  return crop(whole, (h - 1) * rows + 1, (w - 1) * columns + 1);
}

/** Puts `zeros` zeros after each element of axis 2 of `x`, seen as `shape`. */
function zerosBehind(x: Tensor, shape: Size, zeros: number): Tensor4D {
  return surround(reshape(x, shape), 0, 0, 0, zeros);
}

/**
 * Brings dy into a form whose convolution with the flipped filter, of stride 1 and without padding,
 * is the gradient of the input: its pixels as far apart as the strides, with as many zeros around
 * them as give the input's size.
 */
export function surroundedGradient(dy: Tensor4D, info: backend_util.Conv2DInfo): Tensor4D {
  const { inHeight, inWidth, padInfo, effectiveFilterHeight, effectiveFilterWidth } = info;
  const spaced = spread(dy, info.strideHeight, info.strideWidth);
  const height = inHeight + effectiveFilterHeight - 1;
  const width = inWidth + effectiveFilterWidth - 1;
  const top = effectiveFilterHeight - 1 - padInfo.top;
  const left = effectiveFilterWidth - 1 - padInfo.left;
  const bottom = Math.max(0, height - top - spaced.shape[1]);
  const right = Math.max(0, width - left - spaced.shape[2]);
  return crop(surround(spaced, top, bottom, left, right), height, width);
}

/** True if {@link surroundedGradient} can be made: no more padding than the filter reaches. */
export function isSurroundable(info: backend_util.Conv2DInfo): boolean {
  const { padInfo, effectiveFilterHeight, effectiveFilterWidth } = info;
  return padInfo.top < effectiveFilterHeight && padInfo.left < effectiveFilterWidth;
}
