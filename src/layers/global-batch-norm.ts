/**
 * GlobalBatchNorm: MindSpore's `nn.GlobalBatchNorm`. Batch normalization with the statistics of a
 * block of `deviceNumEachGroup` neighbouring ranks; the world is cut into such blocks.
 */

import { checkInteger, checkType } from '../core/checks.js';
import { narrow } from '../core/dtype.js';
import { formatShape, sameShape } from '../core/layout.js';
import type { Moments } from '../core/moments.js';
import { checkOptionNames } from '../core/options.js';
import { Parameter } from '../core/parameter.js';
import { Tensor } from '../core/tensor.js';
import type { ProcessGroup } from '../group/process-group.js';
import { createGroup, findGroup } from '../group/world.js';
import { inKernels } from '../ops/allocate.js';
import { refuseAssignments, showFields } from './assignments.js';
import { BatchNorm } from './batch-norm.js';
import { checkChannels, checkMomentum } from './checks.js';
import {
  type AffineOption,
  affineParts,
  COMMON_USUAL,
  type CommonOptions,
  type CommonSetup,
  commonSetup,
  labelOf,
  unusualOptions,
} from './common-options.js';
import { Initializer, type InitializerName, initializerNamed } from './initializers.js';
import { RunningStatistics } from './running-statistics.js';
import type { StateDict } from './state-dict.js';

/** Initial values: one number, a tensor of shape (C), an initializer, or its name. */
export type InitialValues = number | Tensor | Initializer | InitializerName;

export interface GlobalBatchNormOptions extends CommonOptions {
  /** Ranks that normalise together; 2 or more, a divisor of the world's size. Default 2. */
  deviceNumEachGroup?: number;
  /** Share that the moving statistics keep: r = momentum r + (1 - momentum) batch. Default 0.9. */
  momentum?: number;
  /**
   * If true (default), gamma (`weight`) and beta (`bias`) are trained; otherwise they keep their
   * initial values.
   */
  affine?: AffineOption;
  /** Default 'ones'. */
  gammaInit?: InitialValues;
  /** Default 'zeros'. */
  betaInit?: InitialValues;
  /** Default 'zeros'. */
  movingMeanInit?: InitialValues;
  /** Default 'ones'. */
  movingVarInit?: InitialValues;
  /**
   * null (default): the batch's statistics in training, the moving ones in inference; true: always
   * the batch's, over the group also in inference; false: always the moving ones.
   */
  useBatchStatistics?: boolean | null;
}

const USUAL = { ...COMMON_USUAL, momentum: 0.9, affine: true, useBatchStatistics: null };
const OPTIONS = [
  ...[...Object.keys(USUAL), 'name', 'deviceNumEachGroup'],
  ...['gammaInit', 'betaInit', 'movingMeanInit', 'movingVarInit'],
];

export class GlobalBatchNorm extends BatchNorm {
  static {
    refuseAssignments(GlobalBatchNorm.prototype);
    const shown = ['gamma', 'beta', 'affine', 'deviceNumEachGroup'] as const;
    const more = ['useBatchStatistics', 'processGroup'] as const;
    showFields(GlobalBatchNorm.prototype, [...shown, ...more], (layer) => layer.#fields);
  }

  /** Scale, shape (C). */
  declare readonly gamma: Parameter;
  /** Shift, shape (C). */
  declare readonly beta: Parameter;
  declare readonly affine: AffineOption;
  declare readonly deviceNumEachGroup: number;
  declare readonly useBatchStatistics: boolean | null;
  /** The ranks that normalise together with this one. */
  declare readonly processGroup: ProcessGroup;
  readonly #running: RunningStatistics;
  readonly #fields: Pick<
    GlobalBatchNorm,
    'gamma' | 'beta' | 'affine' | 'deviceNumEachGroup' | 'useBatchStatistics' | 'processGroup'
  >;
  #momentum: number;

  /**
   * New layers are in inference mode, as MindSpore's are; `setTrain()` changes it. Needs `init()`.
   * With random initial values every rank of the world must make the layer at the same place of
   * its program, since all take the values of rank 0.
   * @param numFeatures channels C of the input (N, C) or (N, C, H, W), 1 to 2^28
   * @throws TypeError for arguments of a wrong type, RangeError for wrong values; see each option
   */
  constructor(numFeatures: number, options: GlobalBatchNormOptions = {}) {
    const label = labelOf('GlobalBatchNorm', numFeatures, options);
    checkOptionNames(options, OPTIONS, label);
    checkChannels(numFeatures, label);
    const common = commonSetup(options, label);
    const {
      affine = true,
      momentum = 0.9,
      deviceNumEachGroup = 2,
      useBatchStatistics = null,
    } = options;
    const trained = affineParts(affine, label);
    checkMomentum(momentum, label);
    if (useBatchStatistics !== null) {
      checkType(useBatchStatistics, 'boolean', `${label}: useBatchStatistics`);
    }
    const group = blockGroup(deviceNumEachGroup, label);
    const make = (name: keyof GlobalBatchNormOptions, fallback: InitialValues) =>
      initialTensor(
        options[name] === undefined ? fallback : (options[name] as InitialValues),
        numFeatures,
        common,
        name,
      );
    const { kernels } = common;
    const { prefix } = common;
    const [ones, zeros] = [make('gammaInit', 'ones'), make('betaInit', 'zeros')];
    const gamma = new Parameter(`${prefix}gamma`, inKernels(ones, kernels), trained.weight);
    const beta = new Parameter(`${prefix}beta`, inKernels(zeros, kernels), trained.bias);
    super({
      ...common,
      numFeatures,
      training: false,
      weight: gamma,
      bias: beta,
      ranks: { accept: (rank) => rank === 2 || rank === 4, text: '2 or 4' },
    });
    this.#fields = {
      gamma,
      beta,
      affine,
      deviceNumEachGroup,
      useBatchStatistics,
      processGroup: group,
    };
    this.#momentum = momentum;
    this.#running = new RunningStatistics(
      make('movingMeanInit', 'zeros'),
      make('movingVarInit', 'ones'),
      kernels,
    );
  }

  /** May be assigned, on all ranks alike. */
  get momentum(): number {
    return this.#momentum;
  }

  set momentum(value: number) {
    this.#momentum = checkMomentum(value, this.label);
    this.optionsChanged();
  }

  /**
   * Shape (C). Its `data` changes with every batch, even after it was posted: `clone()` it, or take
   * `stateDict()`, to keep its present numbers.
   */
  get movingMean(): Tensor {
    return this.running.mean;
  }

  /** Shape (C), biased. */
  get movingVariance(): Tensor {
    return this.running.variance;
  }

  protected override ownOptions(): string {
    const { eps, momentum, affine, useBatchStatistics, dtype, channelsLast } = this;
    const own = { eps, momentum, affine, useBatchStatistics, dtype, channelsLast };
    return unusualOptions({ ...own, ...this.commonRules() }, USUAL);
  }

  override toString(): string {
    const { affine } = this;
    return (
      `GlobalBatchNorm(${this.numFeatures}, deviceNumEachGroup=${this.deviceNumEachGroup}, ` +
      `eps=${this.eps}, momentum=${this.momentum}, affine=${typeof affine === 'boolean' ? affine : JSON.stringify(affine)}, ` +
      `useBatchStatistics=${this.useBatchStatistics}, dtype=${this.dtype})`
    );
  }

  protected override get running(): RunningStatistics {
    return this.#running;
  }

  protected override usesBatchStatistics(): boolean {
    return this.#fields.useBatchStatistics ?? this.training;
  }

  protected override batchGroup(): ProcessGroup {
    return this.#fields.processGroup;
  }

  protected override track(moments: Moments): void {
    this.running.update(moments, 1 - this.momentum, false);
  }

  protected override adopt(moments: Moments): void {
    this.running.update(moments, 1, false);
  }

  protected override state(): StateDict {
    return {
      gamma: this.gamma.data,
      beta: this.beta.data,
      movingMean: this.movingMean,
      movingVariance: this.movingVariance,
    };
  }
}

/** The group of this rank's block of `size` neighbouring ranks. */
function blockGroup(size: number, label: string): ProcessGroup {
  checkInteger(size, 2, `${label}: deviceNumEachGroup`);
  const world = findGroup(null, label);
  if (size > world.size || world.size % size !== 0) {
    throw new RangeError(
      `${label}: deviceNumEachGroup must divide the world's ${world.size} ranks, got ${size}`,
    );
  }
  const first = world.rank - (world.rank % size);
  const ranks = Array.from({ length: size }, (_, i) => first + i);
  return createGroup(`GlobalBatchNorm ${first}-${first + size - 1}`, ranks);
}

/** Makes a tensor of shape (C) with the initial values that an option asks for. */
function initialTensor(
  values: InitialValues,
  channels: number,
  { label, dtype }: CommonSetup,
  option: string,
): Tensor {
  const what = `${label}: ${option}`;
  if (values instanceof Tensor) {
    if (!sameShape(values.shape, [channels])) {
      throw new RangeError(
        `${what} must have shape ${formatShape([channels])}, got ${formatShape(values.shape)}`,
      );
    }
    return values.clone(dtype);
  }
  if (typeof values === 'number') return Tensor.full([channels], values, dtype);
  const initializer = typeof values === 'string' ? initializerNamed(values, what) : values;
  if (!(initializer instanceof Initializer)) {
    throw new TypeError(`${what} must be a number, a Tensor, an Initializer or its name`);
  }
  const drawn = initializer.values([channels]);
  const world = findGroup(null, label);
  if (initializer.isRandom) world.broadcast(drawn, { label: what }).wait();
  const tensor = Tensor.zeros([channels], dtype);
  narrow(drawn, tensor.data, dtype);
  return tensor;
}
