/**
 * The exports for float32; float64.ts has the same for float64.
 *
 * All arguments are unsigned 32-bit. Pointers are bytes from the start of the memory: x, y, dy,
 * dx, weight and bias aligned to their element, per-channel statistics to 8 bytes; each points to
 * the first channel of the block. weight and bias may be 0 (none), meanDy and meanDyXhat too.
 * `channels` is a count, any from 0; `rows` 1 and more, `stride` the bytes from one to the next;
 * `values` of one channel lie side by side in a row, 1 and more (plane...: 16 bytes and more).
 * Up to 63 bytes behind the arrays are read, never used.
 */

import { planeGradientSums } from './plane-gradient-sums';
import { planeInputGradient } from './plane-input-gradient';
import { planeMoments } from './plane-moments';
import { planeNormalize } from './plane-normalize';
import { rowGradientSums } from './row-gradient-sums';
import { rowInputGradient } from './row-input-gradient';
import { rowMoments } from './row-moments';
import { rowNormalize } from './row-normalize';

export function planeMoments32(
  mean: usize,
  m2: usize,
  x: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  values: usize,
): void {
  planeMoments<f32>(mean, m2, x, channels, rows, stride, values);
}

export function planeNormalize32(
  y: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  values: usize,
): void {
  planeNormalize<f32>(y, x, mean, invstd, weight, bias, channels, rows, stride, values);
}

export function planeGradientSums32(
  sumDy: usize,
  sumDyXhat: usize,
  dy: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  values: usize,
): void {
  planeGradientSums<f32>(sumDy, sumDyXhat, dy, x, mean, invstd, channels, rows, stride, values);
}

export function planeInputGradient32(
  dx: usize,
  dy: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  meanDy: usize,
  meanDyXhat: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  values: usize,
): void {
  planeInputGradient<f32>(
    dx,
    dy,
    x,
    mean,
    invstd,
    weight,
    meanDy,
    meanDyXhat,
    channels,
    rows,
    stride,
    values,
  );
}

export function rowMoments32(
  mean: usize,
  m2: usize,
  x: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  values: usize,
): void {
  rowMoments<f32>(mean, m2, x, channels, rows, stride, values);
}

export function rowNormalize32(
  y: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  values: usize,
): void {
  rowNormalize<f32>(y, x, mean, invstd, weight, bias, channels, rows, stride, values);
}

export function rowGradientSums32(
  sumDy: usize,
  sumDyXhat: usize,
  dy: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  values: usize,
): void {
  rowGradientSums<f32>(sumDy, sumDyXhat, dy, x, mean, invstd, channels, rows, stride, values);
}

export function rowInputGradient32(
  dx: usize,
  dy: usize,
  x: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  meanDy: usize,
  meanDyXhat: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  values: usize,
): void {
  rowInputGradient<f32>(
    dx,
    dy,
    x,
    mean,
    invstd,
    weight,
    meanDy,
    meanDyXhat,
    channels,
    rows,
    stride,
    values,
  );
}

export { scratch } from './scratch';
