/** The exports for float64, arguments as in float32.ts. */

import { planeGradientSums } from './plane-gradient-sums';
import { planeInputGradient } from './plane-input-gradient';
import { planeMoments } from './plane-moments';
import { planeNormalize } from './plane-normalize';
import { rowGradientSums } from './row-gradient-sums';
import { rowInputGradient } from './row-input-gradient';
import { rowMoments } from './row-moments';
import { rowNormalize } from './row-normalize';

export function planeMoments64(
  mean: usize,
  m2: usize,
  x: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  values: usize,
): void {
  planeMoments<f64>(mean, m2, x, channels, rows, stride, values);
}

export function planeNormalize64(
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
  planeNormalize<f64>(y, x, mean, invstd, weight, bias, channels, rows, stride, values);
}

export function planeGradientSums64(
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
  planeGradientSums<f64>(sumDy, sumDyXhat, dy, x, mean, invstd, channels, rows, stride, values);
}

export function planeInputGradient64(
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
  planeInputGradient<f64>(
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

export function rowMoments64(
  mean: usize,
  m2: usize,
  x: usize,
  channels: usize,
  rows: usize,
  stride: usize,
  values: usize,
): void {
  rowMoments<f64>(mean, m2, x, channels, rows, stride, values);
}

export function rowNormalize64(
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
  rowNormalize<f64>(y, x, mean, invstd, weight, bias, channels, rows, stride, values);
}

export function rowGradientSums64(
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
  rowGradientSums<f64>(sumDy, sumDyXhat, dy, x, mean, invstd, channels, rows, stride, values);
}

export function rowInputGradient64(
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
  rowInputGradient<f64>(
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
