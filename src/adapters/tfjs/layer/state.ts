/**
 * A layer's state between calls. It is kept beside the layer, not in private fields: layers are
 * converted in place, and then no constructor of ours has run.
 */

import { tensor1d } from '@tensorflow/tfjs-core';
import type { Moments } from '../../../core/moments.js';
import type { NonFiniteRule } from '../../../layers/common-options.js';
import { Synchronization } from '../../../layers/synchronization.js';
import type { BuiltInLayer, LayerWeight } from './built-in.js';

/** Names that TensorFlow.js makes up, which differ between ranks that made other layers before. */
const AUTOMATIC = /^(sync_)?batch_normalization_(Sync)?BatchNormalization\d+$/;

/** `SyncBatchNormalization 'bn1'`, or `SyncBatchNormalization(64)` if the name is automatic. */
export function labelOf({ name }: BuiltInLayer, channels: number): string {
  return `SyncBatchNormalization${AUTOMATIC.test(name) ? `(${channels})` : ` '${name}'`}`;
}

export class LayerState {
  readonly synchronization: Synchronization;
  readonly onNonFinite: NonFiniteRule;
  readonly #layer: BuiltInLayer;
  /** New moving statistics of the call that runs. */
  #next: { mean: Float32Array; variance: Float32Array } | null = null;

  constructor(layer: BuiltInLayer, channels: number, onNonFinite: NonFiniteRule) {
    this.#layer = layer;
    this.onNonFinite = onNonFinite;
    this.synchronization = new Synchronization({
      label: labelOf(layer, channels),
      channels,
      onNonFinite,
      track: (moments) => this.#learn(moments),
    });
  }

  /** Writes the call's new statistics; outside of `customGrad`, where new tensors die. */
  write(): void {
    if (this.#next === null) return;
    const { mean, variance } = this.#next;
    this.#next = null;
    this.#layer.movingMean.write(tensor1d(mean));
    this.#layer.movingVariance.write(tensor1d(variance));
  }

  /** moving = momentum * moving + (1 - momentum) * batch, the variance biased. */
  #learn({ count, mean, m2 }: Moments): void {
    const { movingMean, movingVariance, momentum } = this.#layer;
    this.#next = {
      mean: moved(movingMean, mean, 1, momentum),
      variance: moved(movingVariance, m2, count, momentum),
    };
  }
}

/** Computes in float64, rounded once. */
function moved(
  weight: LayerWeight,
  batch: Float64Array,
  divisor: number,
  momentum: number,
): Float32Array {
  const share = 1 - momentum;
  const old = weight.read().dataSync();
  // A loop: `from` with a function takes longer than the pass over the batch.
  const next = new Float32Array(old.length);
  for (let c = 0; c < next.length; c++)
    next[c] = (1 - share) * old[c] + (share * batch[c]) / divisor;
  return next;
}

const states = new WeakMap<object, LayerState>();

/** The state of a layer, made at its first call. */
export function stateOf(layer: BuiltInLayer, channels: number, rule: NonFiniteRule): LayerState {
  let state = states.get(layer);
  if (state === undefined || state.onNonFinite !== rule) {
    const skipped = state?.synchronization.skippedUpdates ?? 0;
    state = new LayerState(layer, channels, rule);
    state.synchronization.skippedUpdates = skipped;
    states.set(layer, state);
  }
  return state;
}

/** Batches that left the moving statistics as they were. */
export function skippedUpdatesOf(layer: object): number {
  return states.get(layer)?.synchronization.skippedUpdates ?? 0;
}
