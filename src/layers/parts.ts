/** What adapters need of a layer of this package; see synchronization.ts. */

import type { Moments } from '../core/moments.js';
import type { Parameter } from '../core/parameter.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { RunningStatistics } from './running-statistics.js';
import type { BatchOptions, Synchronization } from './synchronization.js';

/** What an adapter needs of a layer of this package. */
export interface LayerParts {
  readonly synchronization: Synchronization;
  /** Null where the layer has none. */
  readonly running: RunningStatistics | null;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  /** Ranks whose batch a call takes in the present mode; null: it takes the running statistics. */
  group(): ProcessGroup | null;
  /** What the layer's collectives are called: label, number and unusual options. */
  collectiveLabel(): string;
  /** What a call in the present mode asks of the batch. */
  batchOptions(): BatchOptions;
  /** @throws RangeError unless an input may have this shape */
  checkShape(shape: readonly number[]): void;
  /** Told of every batch that the running statistics learn from; null: nobody is. */
  observer: ((moments: Moments) => void) | null;
  /** Makes the statistics of `moments`, of two values and more, the running ones. */
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
