/**
 * One model's training over all ranks of a group: `fit`, `fitDataset` and `trainOnBatch` of the
 * instance go through here.
 */

import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import { type History, LayersModel } from '@tensorflow/tfjs-layers';
import type { ProcessGroup } from '../../../group/process-group.js';
import { findGroup, type GroupLike } from '../../../group/world.js';
import { tellingErrorsLater, waitFor } from '../peers.js';
import { type Nested, samplesOf } from '../samples.js';
import { broadcastVariables, variablesOf } from '../weights.js';
import { type Callbacks, type FitParameters, type Surroundings, surround } from './callbacks.js';
import { type EpochLogs, EpochTotals, writeGroupLogs } from './epoch.js';
import { distributeOptimizer } from './optimizer.js';
import { type BatchDataset, shareDataset } from './shared-dataset.js';
import { LABEL, SharedSteps } from './shared-steps.js';
import type { TrainedModel, TrainFunction } from './trained-model.js';
import { countValidation, type Validation, type ValidationArguments } from './validation.js';

/** Arguments of `fit` and `fitDataset` that matter here. */
export interface FitArguments extends ValidationArguments {
  epochs?: number;
  initialEpoch?: number;
  verbose?: number;
  callbacks?: Callbacks | Callbacks[];
  yieldEvery?: never;
  batchesPerEpoch?: number;
}

/** TensorFlow.js' own method, with arguments that let all ranks train as one. */
type Start = (args: FitArguments) => Promise<History>;

export interface TrainingOptions {
  readonly group: GroupLike;
  readonly root: number;
}

const stopTraining = Object.getOwnPropertyDescriptor(LayersModel.prototype, 'stopTraining')!;

export class SharedTraining implements Surroundings {
  readonly #model: TrainedModel;
  readonly #options: TrainingOptions;
  readonly #steps: SharedSteps;
  #train: TrainFunction | null = null;
  #mode: 'fit' | 'fitDataset' | null = null;
  /** Set while `fit` is between its beginning and its end, as callbacks see them. */
  #isRunning = false;
  #validation: Validation<FitArguments> | null = null;

  constructor(model: TrainedModel, options: TrainingOptions) {
    this.#model = model;
    this.#options = options;
    this.#steps = new SharedSteps(model);
  }

  get group(): ProcessGroup {
    return findGroup(this.#options.group, LABEL);
  }

  /** Runs the model's train function over all ranks. */
  share(train: TrainFunction): TrainFunction {
    distributeOptimizer(this.#model.optimizer, this.#options.group);
    this.#train = train;
    return (data) => this.#step(train, data);
  }

  #step(train: TrainFunction, data: (Tensor | null)[]): Scalar[] {
    const { group } = this;
    if (group.size === 1) return train(data);
    const results = this.#steps.run(train, data, group);
    // Validation comes right after `fit`'s last batch, and after the last batch of all ranks.
    if (this.#mode === 'fit') this.#steps.catchUp(train, group);
    this.#stopIfAgreed();
    return results;
  }

  fit(x: Nested<Tensor>, args: FitArguments, start: Start): Promise<History> {
    return this.#run('fit', args, samplesOf(x), start);
  }

  fitDataset(
    dataset: BatchDataset,
    args: FitArguments,
    start: (dataset: BatchDataset, args: FitArguments) => Promise<History>,
  ): Promise<History> {
    return this.#run('fitDataset', args, 0, (shared) => {
      const { group } = this;
      const size = longest(dataset.size, group);
      return start(shareDataset(dataset, this.#model, group, size), shared);
    });
  }

  /** Copies the root's weights, moving statistics included, to all ranks. */
  broadcast(label: string): void {
    const { root } = this.#options;
    broadcastVariables(variablesOf(this.#model), this.group, root, label);
  }

  get stopsTraining(): boolean {
    return stopTraining.get!.call(this.#model);
  }

  /** A wish while `fit` runs. It goes out with the next step, after which all ranks stop. */
  set stopsTraining(stops: boolean) {
    if (this.#isRunning && this.group.size > 1) this.#steps.wantsToStop = Boolean(stops);
    else stopTraining.set!.call(this.#model, stops);
  }

  async #run(
    mode: 'fit' | 'fitDataset',
    args: FitArguments | undefined,
    samples: number,
    start: Start,
  ): Promise<History> {
    const { group } = this;
    // While another call goes on, TensorFlow.js itself complains.
    if (group.size === 1 || this.#model.isTraining) return start(args as never);
    return tellingErrorsLater(group, LABEL, async () => {
      // As TensorFlow.js does without arguments.
      if (args === undefined) return start(args as never);
      const validation = countValidation(args, samples);
      this.#mode = mode;
      this.#validation = validation;
      try {
        this.broadcast(`${LABEL}: ${mode} ${describe(mode, args)}`);
        const callbacks = surround(args.callbacks, args.yieldEvery, this);
        const verbose = args.verbose ?? (group.rank === 0 ? 1 : 0);
        return await start({ ...validation.args, verbose, callbacks });
      } finally {
        this.#mode = null;
        this.#isRunning = false;
        this.#validation = null;
        validation.dispose();
      }
    });
  }

  afterTrainBegin(): void {
    this.#isRunning = true;
    this.#steps.wantsToStop = false;
    this.#steps.isStopped = false;
    this.#steps.isCutShort = false;
  }

  beforeEpochBegin({ samples, batchSize }: FitParameters): void {
    this.#steps.totals = new EpochTotals();
    this.#steps.batchesLeft = this.#mode === 'fit' ? Math.ceil(samples / batchSize) : 0;
  }

  /** A rank without any batch runs its ghost steps here, with the learning rate of the epoch. */
  afterEpochBegin(): void {
    if (this.#mode !== 'fit' || this.#steps.batchesLeft > 0) return;
    this.#steps.runGhosts(this.#train as TrainFunction, this.group);
    this.#stopIfAgreed();
  }

  beforeEpochEnd(logs: EpochLogs, { doValidation }: FitParameters): void {
    const { group } = this;
    const labels = this.#model.getDedupedMetricsNames();
    const validated = this.#mode === 'fit' ? labels : [...new Set(this.#model.metricsNames)];
    const names = doValidation ? validated.map((label) => `val_${label}`) : [];
    const samples = this.#steps.isCutShort ? 0 : this.#validation!.samples();
    writeGroupLogs(logs, this.#steps.totals.means(labels), names, samples, group);
  }

  afterEpochEnd(): void {
    const { group } = this;
    const wish = Float64Array.of(this.#steps.wantsToStop ? 1 : 0);
    waitFor(group, group.allReduce(wish, { op: 'max', label: `${LABEL}: end of the epoch` }));
    if (wish[0] > 0) this.#steps.isStopped = true;
    this.#stopIfAgreed();
  }

  afterTrainEnd(): void {
    this.#isRunning = false;
  }

  #stopIfAgreed(): void {
    if (this.#steps.isStopped) stopTraining.set!.call(this.#model, true);
  }
}

/** Describes what ranks must agree on before they start. */
function describe(mode: string, args: FitArguments): string {
  const { epochs = 1, initialEpoch = 0, batchesPerEpoch, validationSplit = 0 } = args;
  const validates = args.validationData != null || validationSplit > 0;
  const batches = batchesPerEpoch === undefined ? '' : `, ${batchesPerEpoch} batches each`;
  const data = mode === 'fit' || validates ? `, ${validates ? 'with' : 'without'} validation` : '';
  return `of epochs ${initialEpoch} to ${epochs}${batches}${data}`;
}

/** The most batches of a rank; null if one does not know its number. */
function longest(size: number | null | undefined, group: ProcessGroup): number | null {
  const own = typeof size === 'number' && Number.isFinite(size) ? size : -1;
  const most = Float64Array.of(own);
  const least = Float64Array.of(own);
  waitFor(group, group.allReduce(most, { op: 'max', label: `${LABEL}: batches` }));
  waitFor(group, group.allReduce(least, { op: 'min', label: `${LABEL}: batches` }));
  return least[0] < 0 ? null : most[0];
}
