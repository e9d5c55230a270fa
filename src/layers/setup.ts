/** The constructor's arguments of a layer. */

import type { Parameter } from '../core/parameter.js';
import type { CommonSetup } from './common-options.js';
import type { AcceptedRanks } from './pass-checks.js';

/** Constructor arguments that the subclasses have checked. */
export interface BatchNormSetup extends Omit<CommonSetup, 'eps'> {
  /** May change. */
  eps: number;
  readonly numFeatures: number;
  readonly training: boolean;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly ranks: AcceptedRanks;
}
