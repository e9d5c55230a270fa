/** What a pass is told beside its tensors. */

import type { FloatArray } from '../core/dtype.js';
import type { ProcessGroup } from '../group/process-group.js';

/** Scale and shift of the channels, and what keeps the root away from 0. */
export interface Affine {
  readonly weight: FloatArray | null;
  readonly bias: FloatArray | null;
  readonly eps: number;
}

/** The ranks over which a pass runs, and how. */
export interface Scope {
  readonly group: ProcessGroup;
  /** What collectives and errors call the layer. */
  readonly label: string;
  /** Whether the result must not depend on how the batch is split over ranks. */
  readonly reproducible: boolean;
}
