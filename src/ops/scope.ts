/** What a pass is told beside its tensors. */

import type { FloatArray } from '../core/dtype.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Tail } from '../kernels/kernels.js';
import type { Kernels } from './kernels.js';

export type { Tail } from '../kernels/kernels.js';

/** Weight and bias of the channels, and what keeps the root away from 0. */
export interface Affine {
  readonly weight: FloatArray | null;
  readonly bias: FloatArray | null;
  readonly eps: number;
  /** What follows the normalisation; default: nothing. */
  readonly tail?: Tail | null;
}

/** What a pass runs on, over which ranks, and how. */
export interface Scope {
  readonly kernels: Kernels;
  readonly group: ProcessGroup;
  /** What collectives and errors call the layer. */
  readonly label: string;
  /** Of a forward call with a batch's statistics, that of its {@link Affine}; else 1. */
  readonly eps: number;
  /** Whether the result must not depend on how the batch is split over ranks. */
  readonly reproducible: boolean;
  /** Whether exact gradient sums are handed out for the group, instead of this rank's own. */
  readonly groupGradients: boolean;
  /** Groups up to this size gather their moments; see merge/merge.ts. */
  readonly gatherRanks: number;
}
