/** The members of a TensorFlow.js model that `distribute` uses besides the public ones. */

import type { Optimizer, Scalar, Tensor } from '@tensorflow/tfjs-core';
import { LayersModel } from '@tensorflow/tfjs-layers';
import { show } from '../../../core/show.js';

/** Runs one step on a batch: inputs, targets and sample weights. Returns loss and metrics. */
export type TrainFunction = (data: (Tensor | null)[]) => Scalar[];

/** A LayersModel with the methods that are protected in its types. */
export interface TrainedModel extends Omit<LayersModel, 'makeTrainFunction'> {
  optimizer: Optimizer;
  makeTrainFunction(): TrainFunction;
  getDedupedMetricsNames(): string[];
  metricsNames: string[];
  isTraining: boolean;
}

/** The model that trains: a Sequential has one inside, a new one at every `compile`. */
export function trainedModelOf(model: LayersModel): TrainedModel {
  return ((model as { model?: unknown }).model ?? model) as TrainedModel;
}

/** @throws TypeError for anything but a compiled model of this copy of TensorFlow.js */
export function checkModel(model: unknown): asserts model is LayersModel {
  if (!(model instanceof LayersModel)) {
    const looksLike = typeof (model as { fitDataset?: unknown } | null)?.fitDataset === 'function';
    throw new TypeError(
      looksLike
        ? 'distribute: the model belongs to another copy of @tensorflow/tfjs-layers than syncbn ' +
            'loads; npm ls @tensorflow/tfjs-layers shows both, and one must go'
        : `distribute: expected a model or an optimizer, got ${show(model)}`,
    );
  }
  if ((model as { optimizer?: unknown }).optimizer == null) {
    throw new TypeError('distribute: the model has no optimizer yet; compile it first');
  }
}
