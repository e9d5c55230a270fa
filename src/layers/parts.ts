/** The parts of a layer of this package that adapters need; see synchronization.ts. */

import type { Moments } from '../core/moments.js';
import type { Parameter } from '../core/parameter.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { RunningStatistics } from './running-statistics.js';
import type { BatchOptions, Synchronization } from './synchronization.js';

/** A layer of this package, as adapters see it. */
export interface LayerParts {
  readonly synchronization: Synchronization;
  /** Null if the layer has none. */
  readonly running: RunningStatistics | null;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  /** Ranks whose batch a call takes in the present mode; null: it takes the running statistics. */
  group(): ProcessGroup | null;
  /** Name of the layer's collectives: label, number and unusual options. */
  collectiveLabel(): string;
  /** Demands of a call in the present mode on the batch. */
  batchOptions(): BatchOptions;
  /** @throws RangeError unless an input may have this shape */
  checkShape(shape: readonly number[]): void;
  /** Told of every batch that the running statistics learn from; null: there is no observer. */
  observer: ((moments: Moments) => void) | null;
  /** Makes the statistics of `moments`, of two values and more, the running statistics. */
  adopt(moments: Moments): void;
}

/** 'weight' of a parameter called 'bn1.weight': its name within its layer. */
export function ownName({ name }: Parameter): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

const parts = new WeakMap<object, LayerParts>();

/** Makes a layer's parts known; for its constructor. */
export function setParts(layer: object, own: LayerParts): void {
  parts.set(layer, own);
}

/** The parts of a `SyncBatchNorm` or `GlobalBatchNorm`. @throws TypeError for anything else */
export function partsOf(layer: object): LayerParts {
  const own = parts.get(layer);
  if (own === undefined) throw new TypeError('partsOf: not a layer of syncbn');
  return own;
}
