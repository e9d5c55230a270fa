/** Inputs and outputs of the kernels for the tests, and their float64 oracle: the plain kernels. */

import { expect } from 'vitest';
import { type ComputeDType, computeDType, type FloatArray } from '../../src/core/dtype.js';
import { countPerChannel, type Layout } from '../../src/core/layout.js';
import type { ChannelRange, Kernels } from '../../src/kernels/kernels.js';
import { plainKernels } from '../../src/kernels/plain.js';
import { fillNormal, seeded, worstError } from './arrays.js';

/** How a test gets its arrays: the kernels' own, foreign ones, or misaligned ones. */
export type Source = (kernels: Kernels, dtype: ComputeDType, length: number) => FloatArray;

export const own: Source = (kernels, dtype, length) => kernels.allocate(dtype, length);
export const foreign: Source = (_, dtype, length) =>
  dtype === 'float32' ? new Float32Array(length) : new Float64Array(length);
/** One element past the start of an array: aligned to the element and no more. */
export const misaligned: Source = (kernels, dtype, length) =>
  kernels.allocate(dtype, length + 1).subarray(1);

/** Inputs and outputs of all stages for one layout. */
export interface Case {
  layout: Layout;
  x: FloatArray;
  dy: FloatArray;
  y: FloatArray;
  dx: FloatArray;
  weight: FloatArray;
  bias: FloatArray;
  mean: Float64Array;
  m2: Float64Array;
  invstd: Float64Array;
  sums: { dy: Float64Array; dyXhat: Float64Array };
  means: { dy: Float64Array; dyXhat: Float64Array };
}

/** A case whose arrays hold what `source` gives. */
export function emptyCase(kernels: Kernels, source: Source, layout: Layout): Case {
  const { samples, channels, plane } = layout;
  const dtype = computeDType(layout.dtype);
  const tensor = () => source(kernels, dtype, samples * channels * plane);
  const perChannel = () => source(kernels, 'float64', channels) as Float64Array;
  const sums = { dy: perChannel(), dyXhat: perChannel() };
  const means = { dy: perChannel(), dyXhat: perChannel() };
  return {
    ...{ layout, x: tensor(), dy: tensor(), y: tensor(), dx: tensor() },
    ...{ weight: source(kernels, dtype, channels), bias: source(kernels, dtype, channels) },
    ...{ mean: perChannel(), m2: perChannel(), invstd: perChannel(), sums, means },
  };
}

export function makeCase(
  kernels: Kernels,
  source: Source,
  layout: Layout,
  mean = 0.3,
  std = 1,
): Case {
  const c = emptyCase(kernels, source, layout);
  const random = seeded(layout.samples * 7919 + layout.channels * 31 + layout.plane);
  fillNormal(c.x, random, mean, std);
  fillNormal(c.dy, random, 0.1);
  fillNormal(c.weight, random, 1, 0.1);
  fillNormal(c.bias, random);
  return c;
}

export function all({ channels }: Layout): ChannelRange {
  return { from: 0, to: channels };
}

/** Runs all four stages over `ranges`, as one rank alone does. */
export function runStages(kernels: Kernels, c: Case, ranges: ChannelRange[]): void {
  const { layout, x, y, dy, dx, mean, m2, sums, means } = c;
  for (const range of ranges) {
    const count = kernels.moments(mean, m2, x, layout, range);
    expect(count).toBe(countPerChannel(layout));
    for (let k = range.from; k < range.to; k++) {
      c.invstd[k] = 1 / Math.sqrt((count === 0 ? 0 : m2[k] / count) + 1e-5);
    }
    kernels.normalize(y, x, c, layout, range);
    kernels.gradientSums(sums, dy, x, c, layout, range);
    for (let k = range.from; k < range.to; k++) {
      means.dy[k] = count === 0 ? 0 : sums.dy[k] / count;
      means.dyXhat[k] = count === 0 ? 0 : sums.dyXhat[k] / count;
    }
    kernels.inputGradient(dx, dy, x, c, means, layout, range);
  }
}

/** The same case computed by the plain kernels in float64. */
export function oracleOf(c: Case): Case {
  const oracle = emptyCase(plainKernels, foreign, { ...c.layout, dtype: 'float64' });
  for (const key of ['x', 'dy', 'weight', 'bias'] as const) oracle[key].set(c[key]);
  runStages(plainKernels, oracle, [all(c.layout)]);
  return oracle;
}

const oracles = new Map<string, Case>();

/** The results of `oracleOf`, kept by `key`: every implementation is given the same inputs. */
export function keptOracle(c: Case, key: string): Case {
  let oracle = oracles.get(key);
  if (oracle === undefined) {
    const none = new Float64Array(0);
    oracle = { ...oracleOf(c), x: none, dy: none };
    oracles.set(key, oracle);
  }
  return oracle;
}

/** Expects two cases to hold the same bits. */
export function expectSameBits(c: Case, other: Case): void {
  const arraysOf = ({ layout: _, sums, means, ...arrays }: Case) => [
    ...Object.entries(arrays),
    ...[sums, means].flatMap((pair) => Object.entries(pair)),
  ];
  const bytes = ({ buffer, byteOffset, byteLength }: FloatArray) =>
    new Uint8Array(buffer, byteOffset, byteLength);
  const wanted = arraysOf(other);
  const different = arraysOf(c).filter(
    ([, array], i) => Buffer.compare(bytes(array), bytes(wanted[i][1])) !== 0,
  );
  expect(different.map(([name]) => name)).toEqual([]);
}

/** Expects every result of `c` at the oracle, as near as SEMANTICS.md asks. */
export function expectNear(
  c: Case,
  oracle: Case,
  relative = c.layout.dtype === 'float32' ? 1e-6 : 1e-11,
) {
  const count = Math.max(1, countPerChannel(c.layout));
  const errors = {
    mean: worstError(c.mean, oracle.mean, 1),
    m2: worstError(c.m2, oracle.m2, 0),
    y: worstError(c.y, oracle.y, 1),
    // Sums of n values about 0: their scale is the root of n.
    sumDy: worstError(c.sums.dy, oracle.sums.dy, Math.sqrt(count)),
    sumDyXhat: worstError(c.sums.dyXhat, oracle.sums.dyXhat, Math.sqrt(count)),
    dx: worstError(c.dx, oracle.dx, Math.max(1, ...oracle.invstd)),
  };
  for (const [what, error] of Object.entries(errors)) {
    expect(error, `${what} of ${JSON.stringify(c.layout)}`).toBeLessThanOrEqual(relative);
  }
}
