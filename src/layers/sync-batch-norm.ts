/**
 * SyncBatchNorm: MindSpore's `mint.nn.SyncBatchNorm` and PyTorch's `nn.SyncBatchNorm`. Batch
 * normalization (Ioffe and Szegedy, 2015) with the statistics of all ranks of a group.
 */

import { checkType } from '../core/checks.js';
import type { Moments } from '../core/moments.js';
import { checkOptionNames } from '../core/options.js';
import { Parameter } from '../core/parameter.js';
import { Tensor } from '../core/tensor.js';
import type { ProcessGroup } from '../group/process-group.js';
import { soloGroup } from '../group/solo.js';
import { findGroup } from '../group/world.js';
import { inKernels } from '../ops/allocate.js';
import { refuseAssignments, showFields } from './assignments.js';
import { BatchNorm } from './batch-norm.js';
import { checkChannels, checkMomentum } from './checks.js';
import {
  type AffineOption,
  affineParts,
  COMMON_USUAL,
  type CommonOptions,
  commonSetup,
  labelOf,
  unusualOptions,
} from './common-options.js';
import { RunningStatistics } from './running-statistics.js';
import type { StateDict } from './state-dict.js';

export interface SyncBatchNormOptions extends CommonOptions {
  /**
   * Share of the batch in the running statistics: r = (1 - momentum) r + momentum batch.
   * In [0, 1]; null: the mean over all batches so far. Default 0.1.
   */
  momentum?: number | null;
  /** `weight` (of ones) and `bias` (of zeros): both, none or one. Default true: both. */
  affine?: AffineOption;
  /** Without running statistics, inference normalises by the local batch. Default true. */
  trackRunningStats?: boolean;
  /** Ranks that normalise together, by name or object. Default null: the world. */
  processGroup?: string | ProcessGroup | null;
}

const USUAL = { ...COMMON_USUAL, momentum: 0.1, affine: true, trackRunningStats: true };
const OPTIONS = [...Object.keys(USUAL), 'name', 'processGroup'];

/** `There` for an option that is true, null for false, and either if the types do not tell. */
type When<Option, There> = Option extends true ? There : Option extends false ? null : There | null;
type PartOf<A, Key extends 'weight' | 'bias'> = A extends boolean
  ? A
  : A extends Record<Key, infer Part>
    ? Part
    : boolean;

/**
 * The type follows the options: `new SyncBatchNorm(2).weight` is a Parameter, with `affine: false`
 * it is null. `AnySyncBatchNorm` is either.
 */
export class SyncBatchNorm<
  const A extends AffineOption = true,
  T extends boolean = true,
> extends BatchNorm {
  static {
    refuseAssignments(SyncBatchNorm.prototype);
    const shown = ['weight', 'bias', 'numBatchesTracked', 'affine', 'trackRunningStats'] as const;
    showFields(SyncBatchNorm.prototype as AnySyncBatchNorm, shown, (layer) => layer.#fields);
  }

  /** Shape (C); null with `affine: false`. */
  declare readonly weight: When<PartOf<A, 'weight'>, Parameter>;
  /** Shape (C); null with `affine: false`. */
  declare readonly bias: When<PartOf<A, 'bias'>, Parameter>;
  /** Batches that went into the running statistics; shape (). Null without running statistics. */
  declare readonly numBatchesTracked: When<T, Tensor>;
  declare readonly affine: A;
  declare readonly trackRunningStats: T;
  readonly #running: RunningStatistics | null;
  readonly #fields: Pick<
    SyncBatchNorm<A, T>,
    'weight' | 'bias' | 'numBatchesTracked' | 'affine' | 'trackRunningStats'
  >;
  readonly #group: ProcessGroup | null;
  #momentum: number | null;

  /**
   * @param numFeatures channels C of the input (N, C, +), 1 to 2^28
   * @throws TypeError for arguments of a wrong type, RangeError for wrong values; see each option
   */
  constructor(
    numFeatures: number,
    options: SyncBatchNormOptions & { affine?: A; trackRunningStats?: T } = {},
  ) {
    const label = labelOf('SyncBatchNorm', numFeatures, options);
    checkOptionNames(options, OPTIONS, label);
    checkChannels(numFeatures, label);
    const {
      momentum = 0.1,
      affine = true,
      trackRunningStats = true,
      processGroup = null,
    } = options;
    const common = commonSetup(options, label);
    const { dtype, kernels } = common;
    const [ones, zeros] = [Tensor.ones([numFeatures], dtype), Tensor.zeros([numFeatures], dtype)];
    const parts = affineParts(affine, label);
    const make = (name: string, tensor: Tensor) =>
      new Parameter(common.prefix + name, inKernels(tensor, kernels));
    const weight = parts.weight ? make('weight', ones) : null;
    const bias = parts.bias ? make('bias', zeros) : null;
    super({
      ...common,
      numFeatures,
      training: true,
      weight,
      bias,
      ranks: { accept: (rank) => rank >= 2, text: '2 or more' },
    });
    checkType(trackRunningStats, 'boolean', `${label}: trackRunningStats`);
    const numBatchesTracked = trackRunningStats ? Tensor.zeros([], 'float64') : null;
    // The parts follow the options, as the types do.
    const fields = { weight, bias, numBatchesTracked, affine, trackRunningStats };
    this.#fields = fields as unknown as SyncBatchNorm<A, T>;
    this.#momentum = momentum === null ? null : checkMomentum(momentum, label);
    this.#running = trackRunningStats
      ? RunningStatistics.standard(numFeatures, dtype, kernels)
      : null;
    this.#group = processGroup === null ? null : findGroup(processGroup, label);
  }

  /** May be assigned, on all ranks alike. */
  get momentum(): number | null {
    return this.#momentum;
  }

  set momentum(value: number | null) {
    this.#momentum = value === null ? null : checkMomentum(value, this.label);
    this.optionsChanged();
  }

  /**
   * Shape (C), starts at 0; null without running statistics. Its `data` changes with every batch,
   * even after it was posted: `clone()` it, or take `stateDict()`, to keep its present numbers.
   */
  get runningMean(): When<T, Tensor> {
    return (this.running?.mean ?? null) as When<T, Tensor>;
  }

  /** Shape (C), starts at 1, unbiased; null without running statistics. See `runningMean`. */
  get runningVar(): When<T, Tensor> {
    return (this.running?.variance ?? null) as When<T, Tensor>;
  }

  /** Ranks that normalise together. @throws Error before `init`, when it is the world */
  get processGroup(): ProcessGroup {
    return this.#group ?? findGroup(null, this.label);
  }

  override resetRunningStatistics(): void {
    super.resetRunningStatistics();
    this.numBatchesTracked?.data.fill(0);
  }

  protected override ownOptions(): string {
    const { eps, momentum, affine, trackRunningStats, dtype, channelsLast } = this;
    const own = { eps, momentum, affine, trackRunningStats, dtype, channelsLast };
    return unusualOptions({ ...own, ...this.commonRules() }, USUAL);
  }

  override toString(): string {
    const group = this.#group === null ? 'null' : `'${this.#group.name}'`;
    const { affine } = this;
    return (
      `SyncBatchNorm(${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}, ` +
      `affine=${typeof affine === 'boolean' ? affine : JSON.stringify(affine)}, trackRunningStats=${this.trackRunningStats}, ` +
      `processGroup=${group}, dtype=${this.dtype})`
    );
  }

  protected override get running(): RunningStatistics | null {
    return this.#running;
  }

  protected override usesBatchStatistics(): boolean {
    return this.training || this.#running === null;
  }

  /** Inference without running statistics takes the local batch's, and sends nothing. */
  protected override batchGroup(): ProcessGroup {
    return this.training ? this.processGroup : soloGroup;
  }

  protected override track(moments: Moments): void {
    const { numBatchesTracked } = this.#fields;
    if (this.#running === null || numBatchesTracked === null) return;
    const batches = ++numBatchesTracked.data[0];
    this.#running.update(moments, this.#momentum ?? 1 / batches, true);
  }

  protected override adopt(moments: Moments): void {
    this.#running?.update(moments, 1, true);
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

/** A `SyncBatchNorm` with any options. */
export type AnySyncBatchNorm = SyncBatchNorm<AffineOption, boolean>;
