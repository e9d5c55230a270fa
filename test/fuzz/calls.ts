/** All public calls. */

import type { Call } from './call.js';
import { COLLECTIVE_CALLS } from './collective-calls.js';
import { LAYER_CALLS } from './layer-calls.js';
import { INITIALIZER_CALLS, TENSOR_CALLS, WORLD_CALLS } from './tensor-calls.js';

export const CALLS: readonly Call[] = [
  ...TENSOR_CALLS,
  ...INITIALIZER_CALLS,
  ...WORLD_CALLS,
  ...LAYER_CALLS,
  ...COLLECTIVE_CALLS,
];
