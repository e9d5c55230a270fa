/** Seeded data, the same for a rank wherever it is made, and the check against float64. */

import type { FloatArray } from '../src/core/dtype.js';
import { type Layout, valuesPerChannel } from '../src/core/layout.js';
import { combine, emptyMoments } from '../src/core/moments.js';
import { plainKernels } from '../src/kernels/plain.js';
import { EPS, type Pass } from './pass.js';

/** Sums of three uniform numbers about `mean`, variance 1; x, dy, weight and bias by `stream`. */
export function fill(array: FloatArray, rank: number, stream: number, mean: number): void {
  let state = (rank * 0x9e3779b1 + stream * 0x85ebca6b + 1) >>> 0;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 31 - 1;
  };
  for (let i = 0; i < 32; i++) next();
  for (let i = 0; i < array.length; i++) array[i] = mean + next() + next() + next();
}

/** Fills what a pass reads. Parameters are alike on all ranks. */
export function fillPass(pass: Pass, rank: number, mean: number): void {
  fill(pass.x, rank, 0, mean);
  fill(pass.dy, rank, 1, 0.1);
  fill(pass.weight, 0, 2, 1);
  fill(pass.bias, 0, 3, 0);
}

/** The largest |got - want| / (1 + |want|) of y and dx against float64 over all ranks' data. */
export function errorOf(pass: Pass, rank: number, ranks: number, mean: number): number {
  const { layout, weight, bias } = pass;
  const all = { from: 0, to: layout.channels };
  const size = pass.x.length;
  const perChannel = () => new Float64Array(layout.channels);
  const total = emptyMoments(layout.channels);
  for (let r = 0; r < ranks; r++) {
    const x = new Float32Array(size);
    fill(x, r, 0, mean);
    const own = { count: valuesPerChannel(layout), mean: perChannel(), m2: perChannel() };
    plainKernels.moments(own.mean, own.m2, x, layout, all);
    combine(total, own);
  }
  const invstd = total.m2.map((m2) => 1 / Math.sqrt(m2 / total.count + EPS));
  const by = { mean: total.mean, invstd, weight, bias };
  const means = { dy: perChannel(), dyXhat: perChannel() };
  for (let r = 0; r < ranks; r++) {
    const [x, dy] = [new Float32Array(size), new Float32Array(size)];
    fill(x, r, 0, mean);
    fill(dy, r, 1, 0.1);
    const sums = { dy: perChannel(), dyXhat: perChannel() };
    plainKernels.gradientSums(sums, dy, x, by, layout, all);
    for (let c = 0; c < layout.channels; c++) {
      means.dy[c] += sums.dy[c] / total.count;
      means.dyXhat[c] += sums.dyXhat[c] / total.count;
    }
  }
  const [x, dy, want] = [new Float32Array(size), new Float32Array(size), new Float64Array(size)];
  fill(x, rank, 0, mean);
  fill(dy, rank, 1, 0.1);
  plainKernels.normalize(want, x, by, layout, all);
  const forward = worst(pass.y, want);
  plainKernels.inputGradient(want, dy, x, by, means, layout as Layout, all);
  return Math.max(forward, worst(pass.dx, want));
}

function worst(got: FloatArray, want: FloatArray): number {
  let error = 0;
  for (let i = 0; i < got.length; i++) {
    const e = Math.abs(got[i] - want[i]) / (1 + Math.abs(want[i]));
    if (!(e <= error)) error = e;
  }
  return error;
}
