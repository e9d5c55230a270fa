/** `SyncBatchNormalization`: TensorFlow.js' layer, with statistics over all ranks. */

import { cast, serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { checkChoice } from '../../../core/checks.js';
import { checkOptionNames } from '../../../core/options.js';
import { show } from '../../../core/show.js';
import { ProcessGroup } from '../../../group/process-group.js';
import { findGroup, type GroupLike } from '../../../group/world.js';
import { NON_FINITE_RULES, type NonFiniteRule } from '../../../layers/common-options.js';
import { tellingErrors } from '../peers.js';
import { checkReadable, isReadable, UNREADABLE } from '../readable.js';
import { hasViews } from '../views.js';
import { trainAlone } from './alone.js';
import { channelAxis, oneAxis } from './axis.js';
import { type BatchNormalizationArgs, BuiltIn, type Kwargs } from './built-in.js';
import { inferByKernels, trainByKernels } from './by-kernels.js';
import { inferByOperations, trainByOperations } from './by-operations.js';
import { checkMask, readMask } from './mask.js';
import { type LayerState, labelOf, skippedUpdatesOf, stateOf } from './state.js';

/** Options besides those of `tf.layers.batchNormalization`. */
export interface SyncOptions {
  /** Ranks whose batch the statistics are of, by name or object. Default null: the world. */
  processGroup?: GroupLike;
  /**
   * Reaction to NaN or infinity in the group's batch in training. 'skip' (default): the moving
   * statistics stay as they are, and `skippedUpdates` counts; 'propagate': they take it over;
   * 'throw': RangeError on every rank.
   */
  onNonFinite?: NonFiniteRule;
}

export type SyncBatchNormalizationArgs = BatchNormalizationArgs & SyncOptions;

/**
 * Batch normalization over the batches of all ranks of a group. Saved models name its class: loading
 * them needs an import of `syncbn/tfjs`.
 *
 * In training every rank of the group calls it; inference sends nothing. Any `axis`, inputs of 2
 * axes or more. A mask (of a layer before it, or `apply(x, { training: true, mask })`) selects the
 * values that the statistics are of, as in Keras: it has x's axes but the channels', or the first
 * of them. All values are normalised. On cpu and wasm by the package's kernels, elsewhere by
 * TensorFlow.js' operations.
 */
export class SyncBatchNormalization extends BuiltIn {
  static override readonly className: string = 'SyncBatchNormalization';
  processGroup: GroupLike;
  onNonFinite: NonFiniteRule;

  constructor(args: SyncBatchNormalizationArgs = {}) {
    super(args);
    const { processGroup = null, onNonFinite = 'skip' } = args;
    const label = `SyncBatchNormalization '${this.name}'`;
    this.axis = oneAxis(this.axis, label);
    this.processGroup = checkGroup(processGroup, label);
    this.onNonFinite = checkChoice(onNonFinite, NON_FINITE_RULES, `${label}: onNonFinite`);
  }

  /** Batches that left the moving statistics as they were, because of NaN or infinity. */
  get skippedUpdates(): number {
    return skippedUpdatesOf(this);
  }

  override getConfig(): serialization.ConfigDict {
    const { processGroup, onNonFinite } = this;
    const name = processGroup instanceof ProcessGroup ? processGroup.name : processGroup;
    return { ...super.getConfig(), processGroup: name, onNonFinite };
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor | Tensor[] {
    this.invokeCallHook(inputs, kwargs);
    const [given] = [inputs].flat();
    return tidy(() => {
      const x = cast(given, 'float32');
      return kwargs?.training ? train(this, x, kwargs) : infer(this, x);
    });
  }
}

// Registered by its name, so that models that hold it can be loaded.
serialization.registerClass(SyncBatchNormalization);

/** Options of this layer, of `tf.layers.batchNormalization` and of every layer. */
const OPTIONS = [
  ...['processGroup', 'onNonFinite'],
  ...['axis', 'momentum', 'epsilon', 'center', 'scale'],
  ...['betaInitializer', 'gammaInitializer', 'movingMeanInitializer', 'movingVarianceInitializer'],
  ...['betaConstraint', 'gammaConstraint', 'betaRegularizer', 'gammaRegularizer'],
  ...['inputShape', 'batchInputShape', 'batchSize', 'dtype', 'name', 'trainable', 'weights'],
  'inputDType',
];

/**
 * A synchronized `tf.layers.batchNormalization`, with all its options.
 * @throws TypeError for unknown options and anything but a group; RangeError for an axis that is
 *   not one integer, and for an unknown `onNonFinite`
 * @example
 * model.add(syncBatchNormalization());
 */
export function syncBatchNormalization(
  args: SyncBatchNormalizationArgs = {},
): SyncBatchNormalization {
  checkOptionNames(args, OPTIONS, 'syncBatchNormalization');
  return new SyncBatchNormalization(args);
}

export function checkGroup(group: unknown, label: string): GroupLike {
  if (group === null || typeof group === 'string' || group instanceof ProcessGroup) return group;
  throw new TypeError(
    `${label}: processGroup must be a name, a ProcessGroup or null, got ${show(group)}`,
  );
}

// Functions, not private methods: converted layers have not been through the constructor.

function train(layer: SyncBatchNormalization, x: Tensor, kwargs: Kwargs): Tensor {
  const group = groupOf(layer, x);
  const { axis, state, given, mask } = tellingErrors(group, layer.name, () => {
    const [axis, state] = placeOf(layer, x);
    checkBackend(layer, group);
    const given = checkMask(kwargs.mask, x.shape, axis, layer.name);
    const mask = isReadable() ? readMask(given, x.shape, axis) : null;
    return { axis, state, given, mask };
  });
  if (!isReadable()) return trainAlone(layer, x, axis, given, layer.onNonFinite);
  const by = hasViews() ? trainByKernels : trainByOperations;
  return by(layer, state, x, axis, group, mask);
}

/** @throws Error on a backend that cannot be read, if a number must be */
function checkBackend({ name, onNonFinite }: SyncBatchNormalization, group: ProcessGroup): void {
  const label = `SyncBatchNormalization '${name}'`;
  checkReadable(group, label);
  if (onNonFinite === 'throw' && !isReadable()) {
    throw new Error(
      `${label}: ${UNREADABLE}, so a layer with onNonFinite: 'throw' cannot train on it`,
    );
  }
}

/** @throws RangeError if this rank is not in the layer's group */
function groupOf(layer: SyncBatchNormalization, x: Tensor): ProcessGroup {
  const label = labelOf(layer, x.shape[x.rank - 1]);
  const group = findGroup(layer.processGroup, label);
  if (group.rank >= 0) return group;
  throw new RangeError(
    `${label}: this rank is not in group '${group.name}' (ranks ${group.ranks.join(', ')})`,
  );
}

function infer(layer: SyncBatchNormalization, x: Tensor): Tensor {
  const [axis, state] = placeOf(layer, x);
  return hasViews() ? inferByKernels(layer, state, x, axis) : inferByOperations(layer, x, axis);
}

function placeOf(layer: SyncBatchNormalization, x: Tensor): [number, LayerState] {
  const label = `SyncBatchNormalization '${layer.name}'`;
  const axis = channelAxis(x.shape, oneAxis(layer.axis, label), label);
  return [axis, stateOf(layer, x.shape[axis], layer.onNonFinite)];
}
