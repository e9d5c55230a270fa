/** Options of an adapter for its synchronization, and for each call; see synchronization.ts. */

import type { ComputeDType } from '../core/dtype.js';
import type { Moments } from '../core/moments.js';
import type { Kernels } from '../ops/kernels.js';
import type { NonFiniteRule } from './common-options.js';

export interface SynchronizationOptions {
  /** Name of the layer in collectives and errors; the same on all ranks. */
  readonly label: string;
  /** Number of channels C. */
  readonly channels: number;
  /** Type of weights and of running statistics, which batches must fit. Default 'float32'. */
  readonly dtype?: ComputeDType;
  /** Effect of a batch with NaN or infinity on the running statistics. Default 'skip'. */
  readonly onNonFinite?: NonFiniteRule;
  /** If true, results do not depend on how the batch is split over ranks. Default false. */
  readonly reproducible?: boolean;
  /** With `reproducible`: if true, sums of gradients are the group's. Default false. */
  readonly groupGradients?: boolean;
  /**
   * Takes a finite batch over into the running statistics: `count`, `mean` and `m2` are the group's,
   * count above 0. The arrays are valid during the call only. Default: nothing learns.
   */
  readonly track?: (moments: Moments) => void;
  /** Name in collectives, if it changes with the layer. Default: `label`. */
  readonly collectiveLabel?: () => string;
  /** Default: the kernels of this thread. */
  readonly kernels?: Kernels;
  /** Groups up to this size gather their moments; larger ones reduce. Default 64. */
  readonly gatherRanks?: number;
}

/** Options of a call that takes the group's batch. */
export interface BatchOptions {
  /** If true (default), the running statistics learn from it. */
  readonly track?: boolean;
  /**
   * The fewest values per channel that the group's batch may have, if it has any: 2 if the variance
   * is unbiased. Default 1.
   */
  readonly leastCount?: number;
  /** Name in collectives, instead of the layer's label. */
  readonly label?: string;
}
