/** Makes plain layers of a model synchronized in place, and plain again. */

import { layers } from '@tensorflow/tfjs-layers';
import { checkChoice } from '../../../core/checks.js';
import { checkOptionNames } from '../../../core/options.js';
import type { GroupLike } from '../../../group/world.js';
import { NON_FINITE_RULES } from '../../../layers/common-options.js';
import { oneAxis } from './axis.js';
import { BuiltIn, isBuiltIn } from './built-in.js';
import { checkGroup, SyncBatchNormalization, type SyncOptions } from './layer.js';

/**
 * Makes every BatchNormalization layer of `model` synchronized, in place: in nested models, wrappers
 * and shared layers, too. Names, weights, the compiled state and the optimizer's moments stay.
 * @returns the model
 * @throws TypeError for anything but a model or layer, and the errors of `syncBatchNormalization`
 */
export function convertSyncBatchNormalization<T extends layers.Layer>(
  model: T,
  options: SyncOptions = {},
): T {
  const name = 'convertSyncBatchNormalization';
  checkOptionNames(options, ['processGroup', 'onNonFinite'], name);
  const processGroup: GroupLike = checkGroup(options.processGroup ?? null, name);
  const { onNonFinite: rule = 'skip' } = options;
  const onNonFinite = checkChoice(rule, NON_FINITE_RULES, `${name}: onNonFinite`);
  for (const layer of layersOf(model, name)) {
    if (!isBuiltIn(layer)) continue;
    layer.axis = oneAxis(layer.axis, `${name}: '${layer.name}'`);
    Object.setPrototypeOf(layer, SyncBatchNormalization.prototype);
    Object.assign(layer, { processGroup, onNonFinite });
  }
  return model;
}

/**
 * Makes every SyncBatchNormalization layer of `model` a plain one, in place, so that it can be saved
 * for programs without syncbn.
 * @returns the model
 * @throws TypeError for anything but a model or layer
 */
export function revertSyncBatchNormalization<T extends layers.Layer>(model: T): T {
  for (const layer of layersOf(model, 'revertSyncBatchNormalization')) {
    if (!(layer instanceof SyncBatchNormalization)) continue;
    Object.setPrototypeOf(layer, BuiltIn.prototype);
    const own = layer as Partial<SyncBatchNormalization>;
    delete own.processGroup;
    delete own.onNonFinite;
  }
  return model;
}

/** A layer that may hold others. */
interface Holder {
  layers?: layers.Layer[];
  layer?: layers.Layer;
  forwardLayer?: layers.Layer;
  backwardLayer?: layers.Layer;
}

/** A layer and all that it holds, each once. */
export function layersOf(root: layers.Layer, caller: string): Set<layers.Layer> {
  if (!(root instanceof layers.Layer)) {
    throw new TypeError(
      `${caller}: expected a model or a layer of the @tensorflow/tfjs-layers that syncbn loads ` +
        '(npm ls @tensorflow/tfjs-layers shows whether there are two)',
    );
  }
  const found = new Set<layers.Layer>([root]);
  for (const holder of found) {
    const { layers: list = [], layer, forwardLayer, backwardLayer } = holder as Holder;
    for (const inner of [...list, layer, forwardLayer, backwardLayer]) {
      if (inner !== undefined) found.add(inner);
    }
  }
  return found;
}
