/** `distribute`: a model or an optimizer that trains over all ranks of a group. */

import type { Optimizer } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { checkOptionNames } from '../../../core/options.js';
import { findGroup, type GroupLike } from '../../../group/world.js';
import { isBuiltIn } from '../layer/built-in.js';
import { layersOf } from '../layer/convert.js';
import { tellingErrors } from '../peers.js';
import { distributeOptimizer } from './optimizer.js';
import { LABEL } from './shared-steps.js';
import { SharedTraining, type TrainingOptions } from './shared-training.js';
import { checkModel, type TrainedModel, trainedModelOf } from './trained-model.js';

export interface DistributeOptions {
  /** Ranks that train together. Default: the world. */
  group?: GroupLike;
  /** Group rank whose weights all ranks start from. Default 0. */
  root?: number;
}

/** Trainings by the model that trains. */
const trainings = new WeakMap<object, SharedTraining>();
const distributed = new WeakSet<LayersModel>();

/**
 * Lets a model or an optimizer train over all ranks of a group, each of which calls it.
 *
 * A compiled model: from here on `fit`, `fitDataset` and `trainOnBatch` are one training over all
 * ranks, as one rank with the whole batch would do it. All start from the root's weights. Gradients
 * are averaged, weighed by the ranks' samples, so that parts may be uneven and empty. Loss and
 * metrics in logs, callbacks and History are those of all samples. When a callback on one rank
 * stops the training, all ranks stop after the same batch. An error on one rank fails all.
 * `evaluate`, `predict` and `save` stay local.
 *
 * An optimizer: its gradients are averaged whenever it applies them; see `trainingStep`.
 * @returns `target`
 * @throws TypeError for anything else; RangeError for a root that is not in the group
 * @example
 * model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
 * distribute(model);
 * await model.fitDataset(shard(dataset).batch(32), { epochs: 5 });
 */
export function distribute<T extends LayersModel | Optimizer>(
  target: T,
  options: DistributeOptions = {},
): T {
  checkOptionNames(options, ['group', 'root'], LABEL);
  const { group: groupLike = null, root = 0 } = options;
  const group = findGroup(groupLike, LABEL);
  tellingErrors(group, LABEL, () => {
    group.checkRoot(root, LABEL);
    if (group.rank < 0) {
      throw new RangeError(`${LABEL}: this rank is not in group '${group.name}'`);
    }
    if (!isOptimizer(target)) checkModel(target);
  });
  if (isOptimizer(target)) distributeOptimizer(target, groupLike);
  else distributeModel(target, { group: groupLike, root });
  return target;
}

/** Tells by its methods: there may be two copies of tfjs-core, which mostly works. */
function isOptimizer(target: unknown): target is Optimizer {
  return typeof (target as Partial<Optimizer> | null | undefined)?.applyGradients === 'function';
}

function distributeModel(model: LayersModel, options: TrainingOptions): void {
  const training = attach(trainedModelOf(model), options);
  training.broadcast(`${LABEL}: initial weights`);
  if (distributed.has(model)) return;
  distributed.add(model);
  if (training.group.rank === 0 && training.group.size > 1) warnOfPlainLayers(model);
  const { compile } = model;
  model.compile = (args) => {
    compile.call(model, args);
    attach(trainedModelOf(model), options);
  };
}

/** Puts the training between the model that trains and its class's methods. */
function attach(model: TrainedModel, options: TrainingOptions): SharedTraining {
  distributeOptimizer(model.optimizer, options.group);
  const known = trainings.get(model);
  if (known !== undefined) return known;
  const training = new SharedTraining(model, options);
  trainings.set(model, training);
  const own = Object.getPrototypeOf(model);
  Object.assign(model, {
    makeTrainFunction: () => training.share(own.makeTrainFunction.call(model)),
    fit: (x: never, y: never, args = {}) =>
      training.fit(x, args, (shared) => own.fit.call(model, x, y, shared)),
    fitDataset: (dataset: never, args: never) =>
      training.fitDataset(dataset, args, (...shared) => own.fitDataset.call(model, ...shared)),
  });
  Object.defineProperty(model, 'stopTraining', {
    configurable: true,
    get: () => training.stopsTraining,
    set: (stops: boolean) => {
      training.stopsTraining = stops;
    },
  });
  return training;
}

/** Plain layers take the statistics of each rank's own batch. */
function warnOfPlainLayers(model: LayersModel): void {
  const plain = [...layersOf(model, LABEL)].filter(isBuiltIn);
  if (plain.length === 0) return;
  console.warn(
    `${LABEL}: ${plain.length} BatchNormalization layers (${plain[0].name}, ...) are not ` +
      'synchronized: each rank takes the statistics of its own batch. Make them with ' +
      'syncBatchNormalization(), or call convertSyncBatchNormalization(model).',
  );
}
