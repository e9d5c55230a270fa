/** What an adapter tells its synchronization once, and with each call; see synchronization.ts. */

import type { ComputeDType } from '../core/dtype.js';
import type { Moments } from '../core/moments.js';
import type { Kernels } from '../ops/kernels.js';
import type { NonFiniteRule } from './common-options.js';

export interface SynchronizationOptions {
  /** What collectives and errors call the layer; the same on all ranks. */
  readonly label: string;
  /** Number of channels C. */
  readonly channels: number;
  /** Of weights and of running statistics, which a finite batch must fit. Default 'float32'. */
  readonly dtype?: ComputeDType;
  /** What a batch with NaN or infinity does to the running statistics. Default 'skip'. */
  readonly onNonFinite?: NonFiniteRule;
  /** Whether results must not depend on how the batch is split over ranks. Default false. */
  readonly reproducible?: boolean;
  /** With `reproducible`: whether sums of gradients are the group's, not this rank's. Default false. */
  readonly groupGradients?: boolean;
  /**
   * Takes a finite batch over into the running statistics: `count`, `mean` and `m2` are the group's,
   * count above 0. The arrays are valid during the call only. Default: nothing learns.
   */
  readonly track?: (moments: Moments) => void;
  /** What collectives are called, when that changes with the layer. Default: `label`. */
  readonly collectiveLabel?: () => string;
  /** Default: those of this thread. */
  readonly kernels?: Kernels;
  /** Groups up to this size gather their moments; larger ones reduce. Default 64. */
  readonly gatherRanks?: number;
}

/** Options of a call that takes the group's batch. */
export interface BatchOptions {
  /** Whether the running statistics learn from it. Default true. */
  readonly track?: boolean;
  /**
   * The fewest values per channel that the group's batch may have, if it has any: 2 where the
   * variance is unbiased. Default 1.
   */
  readonly leastCount?: number;
  /** What collectives call it instead of the layer's label. */
  readonly label?: string;
}
