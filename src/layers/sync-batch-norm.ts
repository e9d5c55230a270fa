/**
 * SyncBatchNorm: MindSpore's `mint.nn.SyncBatchNorm` and PyTorch's `nn.SyncBatchNorm`. Batch
 * normalization (Ioffe and Szegedy, 2015) with the statistics of all ranks of a group.
 */

import type { Moments } from '../core/moments.js';
import { Parameter } from '../core/parameter.js';
import { Tensor } from '../core/tensor.js';
import type { ProcessGroup } from '../group/process-group.js';
import { soloGroup } from '../group/solo.js';
import { findGroup } from '../group/world.js';
import { inKernels } from '../ops/allocate.js';
import { BatchNorm } from './batch-norm.js';
import { checkBoolean, checkInteger, checkMomentum, checkOptionNames } from './checks.js';
import { COMMON_OPTIONS, type CommonOptions, commonSetup, labelOf } from './common-options.js';
import { RunningStatistics } from './running-statistics.js';
import type { StateDict } from './state-dict.js';

/** `Affine`: whether the layer has weight and bias; without it, they may be missing. */
export interface SyncBatchNormOptions<Affine extends boolean = boolean> extends CommonOptions {
  /**
   * Share of the batch in the running statistics: r = (1 - momentum) r + momentum batch.
   * In [0, 1]; null: the mean over all batches so far. Default 0.1.
   */
  momentum?: number | null;
  /** Whether there are `weight` (of ones) and `bias` (of zeros). Default true. */
  affine?: Affine;
  /** Without running statistics, inference normalises by the local batch. Default true. */
  trackRunningStats?: boolean;
  /** Ranks that normalise together, by name or object. Default null: the world. */
  processGroup?: string | ProcessGroup | null;
}

const OPTIONS = [...COMMON_OPTIONS, 'momentum', 'affine', 'trackRunningStats', 'processGroup'];

/** A parameter, or null in a layer without; both are possible when only `boolean` is known. */
type IfAffine<Affine extends boolean> = Affine extends true ? Parameter : null;

/** `Affine`: as the option `affine` says, so that the usual layer's parameters are never null. */
export class SyncBatchNorm<Affine extends boolean = true> extends BatchNorm {
  /** Shape (C); null with `affine: false`. */
  readonly weight: IfAffine<Affine>;
  /** Shape (C); null with `affine: false`. */
  readonly bias: IfAffine<Affine>;
  /** Batches that went into the running statistics; shape (). Null without them. */
  readonly numBatchesTracked: Tensor | null;
  readonly momentum: number | null;
  readonly affine: boolean;
  readonly trackRunningStats: boolean;
  protected override readonly running: RunningStatistics | null;
  readonly #group: ProcessGroup | null;

  /**
   * @param numFeatures channels C of the input (N, C, +), 1 or more
   * @throws TypeError for arguments of a wrong type, RangeError for wrong values; see each option
   */
  constructor(numFeatures: number, options: SyncBatchNormOptions<Affine> = {}) {
    const label = labelOf('SyncBatchNorm', numFeatures, options);
    checkOptionNames(options, OPTIONS, label);
    checkInteger(numFeatures, 1, `${label}: numFeatures`);
    const { momentum = 0.1, trackRunningStats = true, processGroup = null } = options;
    const { affine: given = true } = options;
    const affine = checkBoolean(given, `${label}: affine`);
    const common = commonSetup(options, label);
    const { dtype, kernels } = common;
    const [ones, zeros] = [Tensor.ones([numFeatures], dtype), Tensor.zeros([numFeatures], dtype)];
    const weight = affine ? new Parameter('weight', inKernels(ones, kernels)) : null;
    const bias = affine ? new Parameter('bias', inKernels(zeros, kernels)) : null;
    super({
      ...common,
      numFeatures,
      training: true,
      weight,
      bias,
      ranks: { accept: (rank) => rank >= 2, text: '2 or more' },
    });
    this.weight = weight as IfAffine<Affine>;
    this.bias = bias as IfAffine<Affine>;
    this.affine = affine;
    this.momentum = momentum === null ? null : checkMomentum(momentum, label);
    this.trackRunningStats = checkBoolean(trackRunningStats, `${label}: trackRunningStats`);
    this.running = this.trackRunningStats
      ? RunningStatistics.standard(numFeatures, dtype, kernels)
      : null;
    this.numBatchesTracked = this.trackRunningStats ? Tensor.zeros([], 'float64') : null;
    this.#group = processGroup === null ? null : findGroup(processGroup, label);
  }

  /** Shape (C), starts at 0; null without running statistics. */
  get runningMean(): Tensor | null {
    return this.running?.mean ?? null;
  }

  /** Shape (C), starts at 1, unbiased; null without running statistics. */
  get runningVar(): Tensor | null {
    return this.running?.variance ?? null;
  }

  /** Ranks that normalise together. @throws Error before `init`, when it is the world */
  get processGroup(): ProcessGroup {
    return this.#group ?? findGroup(null, this.label);
  }

  override toString(): string {
    const group = this.#group === null ? 'null' : `'${this.#group.name}'`;
    return (
      `SyncBatchNorm(${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}, ` +
      `affine=${this.affine}, trackRunningStats=${this.trackRunningStats}, ` +
      `processGroup=${group}, dtype=${this.dtype})`
    );
  }

  protected override usesBatchStatistics(): boolean {
    return this.training || this.running === null;
  }

  /** Inference without running statistics takes the local batch's, and sends nothing. */
  protected override batchGroup(): ProcessGroup {
    return this.training ? this.processGroup : soloGroup;
  }

  protected override track(moments: Moments): void {
    if (this.running === null || this.numBatchesTracked === null) return;
    const batches = ++this.numBatchesTracked.data[0];
    this.running.update(moments, this.momentum ?? 1 / batches, true);
  }

  protected override state(): StateDict {
    const { weight, bias, running, numBatchesTracked } = this;
    return {
      ...(weight && { weight: weight.data }),
      ...(bias && { bias: bias.data }),
      ...(running && { runningMean: running.mean, runningVar: running.variance }),
      ...(numBatchesTracked && { numBatchesTracked }),
    };
  }
}
