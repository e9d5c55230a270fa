/**
 * The forward pass over a group: moments of this rank, merged over all ranks, then normalize,
 * block by block of channels. docs/algorithms.md tells it in prose.
 */

import type { FloatArray } from '../core/dtype.js';
import { PACKED_SUM } from '../core/exact-sum.js';
import { type Layout, valuesPerChannel } from '../core/layout.js';
import { type Moments, packedLength } from '../core/moments.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { ChannelRange, Normalization } from '../kernels/kernels.js';
import { mergePacked, packSquares, packSums } from '../kernels/plane-sums.js';
import { defaultKernels } from '../kernels/select.js';
import { type BlockPlan, blocksOf, VOTES, vote } from './blocks.js';
import { exchangeMoments } from './exchange.js';
import { type Workspace, workspace } from './workspace.js';

export type { Normalization } from '../kernels/kernels.js';

/** Scale and shift of the channels, and what keeps the root away from 0. */
export interface Affine {
  readonly weight: FloatArray | null;
  readonly bias: FloatArray | null;
  readonly eps: number;
}

/** The ranks over which a pass runs, and how. */
export interface Scope {
  readonly group: ProcessGroup;
  /** What collectives and errors call the layer. */
  readonly label: string;
  /** Whether the result must not depend on how the batch is split over ranks. */
  readonly reproducible: boolean;
  /** The layer's agreement on blocks. */
  readonly plan: BlockPlan;
}

/** What a batch's pass leaves behind. */
export interface BatchPass {
  /** Over the group; bitwise the same on all its ranks. */
  readonly moments: Moments;
  readonly by: Normalization;
}

/**
 * Writes y = (x - mean) * invstd * weight + bias with the moments of the group's batch.
 * @param admit is called with the group's count before anything is written, and may throw
 */
export function forward(
  y: FloatArray,
  x: FloatArray,
  layout: Layout,
  affine: Affine,
  scope: Scope,
  admit: (count: number) => void,
): BatchPass {
  if (scope.reproducible) return reproducibleForward(y, x, layout, affine, scope, admit);
  const kernels = defaultKernels();
  const pass = new BlockedPass(x, layout, affine, scope);
  const { mean, m2 } = pass.work;
  const blocks = blocksOf(layout.channels, pass.channelsPerBlock());
  kernels.moments(mean, m2, x, layout, blocks[0]);
  for (let i = 0; i < blocks.length; i++) {
    pass.merge(blocks[i], i === 0);
    if (i === 0) admit(pass.count);
    const next = blocks[i + 1];
    if (next === undefined) kernels.normalize(y, x, pass.by, layout, blocks[i]);
    else kernels.normalizeMoments(y, x, pass.by, layout, blocks[i], mean, m2, next);
  }
  return pass.result();
}

/** The statistics of a forward pass: those of this rank, and after `merge` those of the group. */
class BlockedPass {
  readonly work: Workspace;
  /** What normalises the blocks that are merged. */
  readonly by: Normalization;
  /** Values per channel: of this rank, and after the first merge of the group. */
  count: number;
  readonly #own: number;
  readonly #layout: Layout;
  readonly #eps: number;
  readonly #scope: Scope;
  readonly #dtype: 'float32' | 'float64';

  constructor(x: FloatArray, layout: Layout, { weight, bias, eps }: Affine, scope: Scope) {
    this.work = workspace(defaultKernels(), layout.channels);
    this.by = { mean: this.work.mean, invstd: this.work.invstd, weight, bias };
    this.#own = valuesPerChannel(layout);
    this.count = this.#own;
    this.#layout = layout;
    this.#eps = eps;
    this.#scope = scope;
    this.#dtype = x instanceof Float64Array ? 'float64' : 'float32';
  }

  /** Alone a rank takes its own blocks; with others those that all have agreed on. */
  channelsPerBlock(): number {
    const { group, plan } = this.#scope;
    if (group.size > 1) return plan.forward;
    return defaultKernels().channelsPerBlock(this.#layout, this.#dtype, 'forward');
  }

  /** Merges a block's moments over the group, and makes what normalises it. */
  merge(block: ChannelRange, first: boolean): void {
    if (this.#scope.group.size > 1) this.#exchange(block, first);
    const { m2, invstd } = this.work;
    const { count } = this;
    for (let c = block.from; c < block.to; c++) {
      invstd[c] = 1 / Math.sqrt((count === 0 ? 0 : m2[c] / count) + this.#eps);
    }
  }

  /** Copies of the statistics, which outlive the pass. */
  result(): BatchPass {
    const { mean, m2, invstd } = this.work;
    const { weight } = this.by;
    const center = copyOf(mean);
    return {
      moments: { count: this.count, mean: center, m2: copyOf(m2) },
      // An optimizer may change the weight before the backward pass, which wants this one.
      by: { mean: center, invstd: copyOf(invstd), weight: weight?.slice() ?? null, bias: null },
    };
  }

  #exchange({ from, to }: ChannelRange, first: boolean): void {
    const { group, label, plan } = this.#scope;
    const { mean, m2 } = this.work;
    const length = packedLength(to - from);
    const packed = new Float64Array(length + (first ? VOTES : 0));
    packed[0] = this.#own;
    for (let c = from; c < to; c++) {
      packed[1 + c - from] = mean[c];
      packed[1 + to - from + c - from] = m2[c];
    }
    if (first) vote(packed, length, group.mostBlocks, this.#layout, this.#dtype);
    const merged = exchangeMoments(group, packed, to - from, label).wait();
    this.count = merged.count;
    for (let c = from; c < to; c++) {
      mean[c] = merged.mean[c - from];
      m2[c] = merged.m2[c - from];
    }
    if (first) plan.agree(merged.votes);
  }
}

/**
 * A copy outside the kernels' memory. By a loop: `set` from shared memory, which that is, was the
 * dearest part of a small pass, 29 % of it for 2 x 64 x 7 x 7.
 */
function copyOf(values: Float64Array): Float64Array {
  const copy = new Float64Array(values.length);
  for (let i = 0; i < copy.length; i++) copy[i] = values[i];
  return copy;
}

/**
 * Two passes, each an exact sum over planes: first of x for the mean, then of (x - mean)^2 with
 * the group's mean, so that neither depends on the split.
 */
function reproducibleForward(
  y: FloatArray,
  x: FloatArray,
  layout: Layout,
  affine: Affine,
  scope: Scope,
  admit: (count: number) => void,
): BatchPass {
  const { channels } = layout;
  const { count, values } = gatherSums(channels, valuesPerChannel(layout), scope, (out) =>
    packSums(out, x, layout),
  );
  admit(count);
  const mean = values.map((sum) => (count === 0 ? 0 : sum / count));
  const m2 = gatherSums(channels, 0, scope, (out) => packSquares(out, x, mean, layout)).values;
  const variance = m2.map((sum) => (count === 0 ? 0 : sum / count));
  const by = normalizationBy(mean, variance, affine);
  normalize(y, x, by, layout);
  return { moments: { count, mean, m2 }, by };
}

/**
 * Exact sums over the group of what `pack` writes for this rank, and the sum of the counts.
 * One all-gather of 8C + 1 numbers.
 */
export function gatherSums(
  channels: number,
  count: number,
  { group, label }: Scope,
  pack: (out: Float64Array) => void,
): { count: number; values: Float64Array } {
  const stride = channels * PACKED_SUM + 1;
  const packed = new Float64Array(stride);
  pack(packed);
  packed[stride - 1] = count;
  const gathered = group.allGather(packed, { label }).wait();
  const values = new Float64Array(channels);
  mergePacked(values, gathered, group.size, stride);
  let total = 0;
  for (let rank = 1; rank <= group.size; rank++) total += gathered[rank * stride - 1];
  return { count: total, values };
}

/** What normalises with a given mean and variance. */
export function normalizationBy(
  mean: ArrayLike<number>,
  variance: ArrayLike<number>,
  { weight, bias, eps }: Affine,
): Normalization {
  const invstd = Float64Array.from(variance, (value) => 1 / Math.sqrt(value + eps));
  return { mean: Float64Array.from(mean), invstd, weight, bias };
}

/** Writes y = (x - mean) * invstd * weight + bias; y may be x. */
export function normalize(y: FloatArray, x: FloatArray, by: Normalization, layout: Layout): void {
  defaultKernels().normalize(y, x, by, layout, { from: 0, to: layout.channels });
}
