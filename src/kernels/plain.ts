/**
 * The plain kernels: the specification of the other kernels, and their fallback. Float64
 * arithmetic, two passes for the variance, as short as the formulas of Ioffe and Szegedy, "Batch
 * Normalization" (2015), and of docs/derivation.md for the gradient.
 */

import {
  allocate as allocateOrdinary,
  type ComputeDType,
  type DType,
  type FloatArray,
  type TensorData,
  toBfloat16,
  toFloat16,
  widen,
} from '../core/dtype.js';
import { slotFor } from '../core/features.js';
import { countPerChannel, type Layout } from '../core/layout.js';
import { mergeRanks } from '../core/moments.js';
import type { ChannelRange, GradientSums, Kernels, Normalization } from './kernels.js';
import { forEachPlane } from './planes.js';

export const plainAtoms = slotFor<typeof import('./atoms.js')>('reproducible');
export const plainTail = slotFor<typeof import('./plain-tail.js')>('tail');

function moments(
  mean: Float64Array,
  m2: Float64Array,
  x: TensorData,
  layout: Layout,
  { from, to }: ChannelRange,
): number {
  const count = countPerChannel(layout);
  const values = widen(x, layout.dtype);
  const places = layout.mask?.places ?? null;
  for (let c = from; c < to; c++) {
    let sum = 0;
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) {
        if (places === null || places[p] !== 0) sum += values[i];
      }
    });
    const center = count === 0 ? 0 : sum / count;
    let squares = 0;
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) {
        if (places === null || places[p] !== 0) squares += (values[i] - center) ** 2;
      }
    });
    mean[c] = center;
    m2[c] = squares;
  }
  return count;
}

function normalize(
  y: TensorData,
  x: TensorData,
  { mean, invstd, weight, bias }: Normalization,
  layout: Layout,
  { from, to }: ChannelRange,
): void {
  const places = placesOfZeros(layout);
  const values = widen(x, layout.dtype);
  const results = resultsFor(y, values);
  for (let c = from; c < to; c++) {
    const center = mean[c];
    const scale = invstd[c] * (weight === null ? 1 : weight[c]);
    const shift = bias === null ? 0 : bias[c];
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) {
        results[i] = places === null || places[p] !== 0 ? (values[i] - center) * scale + shift : 0;
      }
    });
  }
  store(results, y, layout, { from, to });
}

function gradientSums(
  sums: GradientSums,
  dy: TensorData,
  x: TensorData,
  { mean, invstd }: Normalization,
  layout: Layout,
  { from, to }: ChannelRange,
): void {
  const places = placesOfZeros(layout);
  const values = widen(x, layout.dtype);
  const gradients = widen(dy, layout.dtype);
  for (let c = from; c < to; c++) {
    const center = mean[c];
    let sumDy = 0;
    let sumDyX = 0;
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) {
        if (places !== null && places[p] === 0) continue;
        sumDy += gradients[i];
        sumDyX += gradients[i] * (values[i] - center);
      }
    });
    sums.dy[c] = sumDy;
    sums.dyXhat[c] = sumDyX * invstd[c];
  }
}

function inputGradient(
  dx: TensorData,
  dy: TensorData,
  x: TensorData,
  { mean, invstd, weight }: Normalization,
  means: GradientSums | null,
  layout: Layout,
  { from, to }: ChannelRange,
): void {
  const { mask } = layout;
  const values = widen(x, layout.dtype);
  const gradients = widen(dy, layout.dtype);
  const results = resultsFor(dx, values);
  for (let c = from; c < to; c++) {
    const center = mean[c];
    const scale = invstd[c] * (weight === null ? 1 : weight[c]);
    const meanDy = means === null ? 0 : means.dy[c];
    const slope = means === null ? 0 : means.dyXhat[c] * invstd[c];
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) {
        if (mask != null && mask.places[p] === 0) results[i] = mask.zero ? 0 : gradients[i] * scale;
        else results[i] = (gradients[i] - meanDy - (values[i] - center) * slope) * scale;
      }
    });
  }
  store(results, dx, layout, { from, to });
}

/** Array for the numbers that `target` will hold: itself, or an array of float32. */
function resultsFor(target: TensorData, values: FloatArray): FloatArray {
  return target instanceof Uint16Array ? new Float32Array(values.length) : target;
}

/** Rounds the results of the channels of `range` to 16 bits. */
function store(
  results: FloatArray,
  target: TensorData,
  layout: Layout,
  { from, to }: ChannelRange,
): void {
  if (results === target) return;
  const encode = layout.dtype === 'bfloat16' ? toBfloat16 : toFloat16;
  for (let c = from; c < to; c++) {
    forEachPlane(layout, c, (start, end, stride) => {
      for (let i = start; i < end; i += stride) target[i] = encode(results[i]);
    });
  }
}

/** The mask, if results are 0 for values that do not count; null: all places have results. */
function placesOfZeros({ mask }: Layout): Uint8Array | null {
  return mask?.zero === true ? mask.places : null;
}

/** Ordinary arrays, released by the collector. */
function allocate(dtype: 'float32', length: number): Float32Array;
function allocate(dtype: 'float64', length: number): Float64Array;
function allocate(dtype: ComputeDType, length: number): FloatArray;
function allocate(dtype: DType, length: number): TensorData;
function allocate(dtype: DType, length: number): TensorData {
  return allocateOrdinary(dtype, length);
}

function mergeMoments(
  mean: Float64Array,
  m2: Float64Array,
  gathered: Float64Array,
  ranks: number,
  stride: number,
): number {
  const merged = mergeRanks(gathered, stride, ranks, mean.length);
  mean.set(merged.mean);
  m2.set(merged.m2);
  return merged.count;
}

function inverseDeviations(
  invstd: Float64Array,
  m2: Float64Array,
  count: number,
  eps: number,
  most: number,
): boolean {
  let usual = true;
  for (let c = 0; c < invstd.length; c++) {
    invstd[c] = 1 / Math.sqrt(m2[c] / count + eps);
    usual &&= invstd[c] >= 1 / most && invstd[c] <= most;
  }
  return usual;
}

function divide(quotients: Float64Array, values: Float64Array, divisor: number): void {
  for (let i = 0; i < values.length; i++) quotients[i] = values[i] / divisor;
}

function moveRunning(
  mean: FloatArray,
  variance: FloatArray,
  batch: { readonly mean: Float64Array; readonly m2: Float64Array },
  divisor: number,
  share: number,
): void {
  for (let c = 0; c < mean.length; c++) {
    mean[c] = (1 - share) * mean[c] + share * batch.mean[c];
    variance[c] = (1 - share) * variance[c] + share * (batch.m2[c] / divisor);
  }
}

export const plainKernels: Kernels = {
  name: 'plain',
  allocate,
  release: () => {},

  isNear: () => true,
  reserve: () => {},
  channelsPerBlock: (layout) => Math.max(1, layout.channels),
  moments,
  normalize,
  gradientSums,
  inputGradient,
  tails: () => plainTail().plainTails,
  exactSums: (terms, layout) => plainAtoms().exactSums(terms, layout),
  mergeMoments,
  inverseDeviations,
  divide,
  moveRunning,
};
