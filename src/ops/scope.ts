/** Arguments of a pass besides its tensors. */

import type { FloatArray } from '../core/dtype.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Tail } from '../kernels/kernels.js';
import type { Kernels } from './kernels.js';

export type { Tail } from '../kernels/kernels.js';

/** Weight and bias of the channels, and the number that keeps the root away from 0. */
export interface Affine {
  readonly weight: FloatArray | null;
  readonly bias: FloatArray | null;
  readonly eps: number;
  /** The steps after the normalisation; default: none. */
  readonly tail?: Tail | null;
}

/** The kernels, ranks and options of a pass. */
export interface Scope {
  readonly kernels: Kernels;
  readonly group: ProcessGroup;
  /** Name of the layer in collectives and errors. */
  readonly label: string;
  /** Of a forward call with a batch's statistics, the eps of its {@link Affine}; else 1. */
  readonly eps: number;
  /** If true, the result must not depend on how the batch is split over ranks. */
  readonly reproducible: boolean;
  /** If true, exact gradient sums are the group's, instead of this rank's own. */
  readonly groupGradients: boolean;
  /** Groups up to this size gather their moments; see merge/merge.ts. */
  readonly gatherRanks: number;
}
