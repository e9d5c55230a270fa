/**
 * The steps that the ranks of a group run together. Each starts with a header that all ranks add
 * up: samples, flags for further batches and for a wish to stop, and learning rates. A rank without
 * samples runs a ghost step: on a stand-in, whose results are not used.
 */

import { dispose, type Scalar, scalar, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { ProcessGroup } from '../../../group/process-group.js';
import { sumOverGroup, tellingErrors } from '../peers.js';
import { type Form, isStandIn, standInFor } from '../samples.js';
import { runStep } from './current-step.js';
import { EpochTotals } from './epoch.js';
import { formsOf } from './forms.js';
import { learningRateOf, setLearningRate } from './learning-rate.js';
import type { TrainedModel, TrainFunction } from './trained-model.js';

export const LABEL = 'distribute';

/** The ranks' headers at a step's start, added up. */
interface Header {
  /** Samples of all ranks. */
  readonly samples: number;
  readonly hasMore: boolean;
  readonly stops: boolean;
}

export class SharedSteps {
  /** This rank's batches still to come in the epoch, if they are known in advance. */
  batchesLeft = 0;
  /** Set if this rank wants to stop; goes out with the next header. */
  wantsToStop = false;
  /** Set once all ranks have agreed to stop. */
  isStopped = false;
  /** Set if they agreed with batches left, as `fit` then ends without a validation. */
  isCutShort = false;
  totals = new EpochTotals();
  readonly #model: TrainedModel;
  #forms: (Form | null)[] | null = null;

  constructor(model: TrainedModel) {
    this.#model = model;
  }

  /** One step with this rank's batch. @returns the group's loss and metrics */
  run(train: TrainFunction, data: (Tensor | null)[], group: ProcessGroup): Scalar[] {
    return tellingErrors(group, LABEL, () => {
      this.#forms = data.map((x) => x && { shape: x.shape, dtype: x.dtype });
      const first = data[0] as Tensor;
      const samples = isStandIn(first) ? 0 : first.shape[0];
      this.batchesLeft = Math.max(0, this.batchesLeft - 1);
      if (samples > 0 || isStandIn(first)) return this.#step(train, data, samples, group);
      return tidy(() => this.#step(train, this.#ghost(), 0, group));
    });
  }

  /** Ghost steps until no rank has more batches. */
  runGhosts(train: TrainFunction, group: ProcessGroup): void {
    tellingErrors(group, LABEL, () => {
      for (let goesOn = true; goesOn && !this.isStopped; ) {
        goesOn = tidy(() => {
          dispose(this.#step(train, this.#ghost(), 0, group));
          return this.#hasMore;
        });
      }
    });
  }

  /** True if another rank has batches left after the latest step. */
  get #hasMore(): boolean {
    return this.#lastHeader?.hasMore === true;
  }
  #lastHeader: Header | null = null;

  /** Runs the ghost steps that are due after this rank's last batch. */
  catchUp(train: TrainFunction, group: ProcessGroup): void {
    if (this.batchesLeft === 0 && this.#hasMore) this.runGhosts(train, group);
  }

  #ghost(): (Tensor | null)[] {
    this.#forms ??= formsOf(this.#model);
    return this.#forms.map((form) => form && standInFor(form));
  }

  #step(
    train: TrainFunction,
    data: (Tensor | null)[],
    samples: number,
    group: ProcessGroup,
  ): Scalar[] {
    const header = this.#exchange(samples, group);
    this.#lastHeader = header;
    if (header.stops) {
      this.isStopped = true;
      this.isCutShort = header.hasMore;
    }
    const means = this.#train(train, data, samples, header.samples, group);
    this.totals.add(header.samples, means);
    return means.map((mean) => scalar(mean));
  }

  /** @throws Error if ranks that train have different learning rates */
  #exchange(samples: number, group: ProcessGroup): Header {
    const { optimizer } = this.#model;
    const own = learningRateOf(optimizer);
    const rate = samples === 0 || Number.isNaN(own) ? 0 : own;
    const rated = samples === 0 || Number.isNaN(own) ? 0 : 1;
    const sums = sumOverGroup(
      group,
      [samples, this.batchesLeft > 0 ? 1 : 0, this.wantsToStop ? 1 : 0, rated, rate, rate * rate],
      `${LABEL}: step`,
    );
    const [total, more, stops, count, rates, squares] = sums;
    const mean = count === 0 ? own : rates / count;
    if (count > 0 && squares / count - mean * mean > 1e-9 * mean * mean) {
      throw new Error(
        `${LABEL}: the ranks' learning rates differ, this rank's is ${own} and their mean ${mean}`,
      );
    }
    // Callbacks of a rank without batches cannot have set it.
    if (samples === 0 && count > 0 && Math.abs(mean - own) > 1e-9 * mean) {
      setLearningRate(optimizer, mean);
    }
    return { samples: total, hasMore: more > 0, stops: stops > 0 };
  }

  /** Trains on `data`. @returns the group's means of loss and metrics, the same on all ranks */
  #train(
    train: TrainFunction,
    data: (Tensor | null)[],
    samples: number,
    total: number,
    group: ProcessGroup,
  ): number[] {
    if (total === 0) return this.#model.getDedupedMetricsNames().map(() => 0);
    const results = runStep(samples, total, group.size, () => train(data));
    const sums = results.map((result) => (samples === 0 ? 0 : result.dataSync()[0] * samples));
    dispose(results);
    return Array.from(sumOverGroup(group, sums, `${LABEL}: metrics`), (sum) => sum / total);
  }
}
