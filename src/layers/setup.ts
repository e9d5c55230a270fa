/** What a layer is made of: its constructor's arguments, and what adapters see of it. */

import type { Parameter } from '../core/parameter.js';
import type { CommonSetup } from './common-options.js';
import type { AcceptedRanks } from './pass-checks.js';
import type { RunningStatistics } from './running-statistics.js';

/** Constructor arguments that the subclasses have checked. */
export interface BatchNormSetup extends CommonSetup {
  readonly numFeatures: number;
  readonly training: boolean;
  readonly scale: Parameter | null;
  readonly shift: Parameter | null;
  readonly ranks: AcceptedRanks;
}

/** What an adapter needs of a layer. */
export interface Parts {
  readonly running: RunningStatistics | null;
  readonly scale: Parameter | null;
  readonly shift: Parameter | null;
  readonly reproducible: boolean;
}
