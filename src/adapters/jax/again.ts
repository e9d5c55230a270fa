/** Layers and stages that run at several places of a network, with one set of parameters. */

import { show } from '../../core/show.js';
import type { BatchNorm } from '../../layers/batch-norm.js';
import type { Stage } from './stage.js';

/** A place at which an earlier one runs again; see {@link again}. */
export class Again {
  /** Name of the place whose layer or stage runs. */
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * Runs the layer or stage at the place `name` of a network once more, with the same parameters,
 * whose gradients add up, and the same running statistics, which learn from each run. So the two
 * halves of a siamese network share all parameters and statistics.
 * @throws TypeError for a name that is not a string
 * @example
 * network(
 *   {
 *     dense: stage(() => ({ w }), (x, { w }) => np.dot(x, w)),
 *     bn: new SyncBatchNorm(8),
 *     other: stage((first, _, { second }) => ({ x: second, carry: { first } })),
 *     dense2: again('dense'),
 *     bn2: again('bn'),
 *   },
 *   { loss: (second, same: np.Array, { first }) => contrast(first, second, same) },
 * )
 */
export function again(name: string): Again {
  if (typeof name !== 'string') {
    throw new TypeError(`again: the name must be a string, got ${show(name)}`);
  }
  return new Again(name);
}

/** The layer or stage at a place, and the entry of the parameters that it takes. */
export type Placed<T> = readonly [place: string, value: T, key: string];

/** Lists the places of a network in their order, with the layer or stage of each. */
export function placesOf(
  layers: Readonly<Record<string, Stage | BatchNorm | Again>>,
): Placed<Stage | BatchNorm>[] {
  return Object.entries(layers).map(([place, value]) =>
    value instanceof Again
      ? [place, layers[value.name] as Stage | BatchNorm, value.name]
      : [place, value, place],
  );
}
