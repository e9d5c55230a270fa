/**
 * The plain kernels: the specification of the other ones, and their fallback. Float64 arithmetic,
 * two passes for the variance, as short as the formulas of Ioffe and Szegedy, "Batch
 * Normalization" (2015), and of docs/derivation.md for the gradient.
 */

import { allocateFloats, type ComputeDType, type FloatArray } from '../core/dtype.js';
import { countPerChannel, type Layout } from '../core/layout.js';
import { mergeRanks } from '../core/moments.js';
import { loadedAtInit } from '../core/ready.js';
import type { ChannelRange, GradientSums, Kernels, Normalization } from './kernels.js';
import { forEachPlane } from './planes.js';

const atoms = loadedAtInit(() => import('./atoms.js'));

function moments(
  mean: Float64Array,
  m2: Float64Array,
  x: FloatArray,
  layout: Layout,
  { from, to }: ChannelRange,
): number {
  const count = countPerChannel(layout);
  const places = layout.mask?.places ?? null;
  for (let c = from; c < to; c++) {
    let sum = 0;
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) {
        if (places === null || places[p] !== 0) sum += x[i];
      }
    });
    const center = count === 0 ? 0 : sum / count;
    let squares = 0;
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) {
        if (places === null || places[p] !== 0) squares += (x[i] - center) ** 2;
      }
    });
    mean[c] = center;
    m2[c] = squares;
  }
  return count;
}

function normalize(
  y: FloatArray,
  x: FloatArray,
  { mean, invstd, weight, bias }: Normalization,
  layout: Layout,
  { from, to }: ChannelRange,
): void {
  const places = placesOfZeros(layout);
  for (let c = from; c < to; c++) {
    const center = mean[c];
    const scale = invstd[c] * (weight === null ? 1 : weight[c]);
    const shift = bias === null ? 0 : bias[c];
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) {
        y[i] = places === null || places[p] !== 0 ? (x[i] - center) * scale + shift : 0;
      }
    });
  }
}

function gradientSums(
  sums: GradientSums,
  dy: FloatArray,
  x: FloatArray,
  { mean, invstd }: Normalization,
  layout: Layout,
  { from, to }: ChannelRange,
): void {
  const places = placesOfZeros(layout);
  for (let c = from; c < to; c++) {
    const center = mean[c];
    let sumDy = 0;
    let sumDyX = 0;
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) {
        if (places !== null && places[p] === 0) continue;
        sumDy += dy[i];
        sumDyX += dy[i] * (x[i] - center);
      }
    });
    sums.dy[c] = sumDy;
    sums.dyXhat[c] = sumDyX * invstd[c];
  }
}

function inputGradient(
  dx: FloatArray,
  dy: FloatArray,
  x: FloatArray,
  { mean, invstd, weight }: Normalization,
  means: GradientSums | null,
  layout: Layout,
  { from, to }: ChannelRange,
): void {
  const { mask } = layout;
  for (let c = from; c < to; c++) {
    const center = mean[c];
    const scale = invstd[c] * (weight === null ? 1 : weight[c]);
    const meanDy = means === null ? 0 : means.dy[c];
    const slope = means === null ? 0 : means.dyXhat[c] * invstd[c];
    forEachPlane(layout, c, (start, end, stride, place) => {
      for (let i = start, p = place; i < end; i += stride, p++) {
        if (mask != null && mask.places[p] === 0) dx[i] = mask.zero ? 0 : dy[i] * scale;
        else dx[i] = (dy[i] - meanDy - (x[i] - center) * slope) * scale;
      }
    });
  }
}

/** The mask, where results are 0 beside it; null: all places have results. */
function placesOfZeros({ mask }: Layout): Uint8Array | null {
  return mask?.zero === true ? mask.places : null;
}

/** Ordinary arrays, released by the collector. */
function allocate(dtype: 'float32', length: number): Float32Array;
function allocate(dtype: 'float64', length: number): Float64Array;
function allocate(dtype: ComputeDType, length: number): FloatArray;
function allocate(dtype: ComputeDType, length: number): FloatArray {
  return allocateFloats(dtype, length);
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
): void {
  for (let c = 0; c < invstd.length; c++) invstd[c] = 1 / Math.sqrt(m2[c] / count + eps);
}

function divide(values: Float64Array, divisor: number): void {
  for (let i = 0; i < values.length; i++) values[i] /= divisor;
}

function moveRunning(
  running: FloatArray,
  batch: Float64Array,
  divisor: number,
  share: number,
): void {
  for (let c = 0; c < running.length; c++) {
    running[c] = (1 - share) * running[c] + share * (batch[c] / divisor);
  }
}

export const plainKernels: Kernels = {
  name: 'plain',
  allocate,
  release: () => {},
  reserve: () => {},
  channelsPerBlock: (layout) => Math.max(1, layout.channels),
  moments,
  normalize,
  gradientSums,
  inputGradient,
  exactSums: (terms, layout) => atoms().exactSums(terms, layout),
  mergeMoments,
  inverseDeviations,
  divide,
  moveRunning,
};
