/** All public calls. */

import type { Call } from './call.js';
import { COLLECTIVE_CALLS } from './collective-calls.js';
import { ENTRY_CALLS } from './entry-calls.js';
import { JAX_CALLS } from './jax-calls.js';
import { LAYER_CALLS } from './layer-calls.js';
import { INITIALIZER_CALLS, OTHER_CALLS, TENSOR_CALLS } from './tensor-calls.js';
import { TFJS_CALLS } from './tfjs-calls.js';
import { WORLD_CALLS } from './world-calls.js';

export const CALLS: readonly Call[] = [
  ...TENSOR_CALLS,
  ...INITIALIZER_CALLS,
  ...OTHER_CALLS,
  ...WORLD_CALLS,
  ...LAYER_CALLS,
  ...COLLECTIVE_CALLS,
  ...ENTRY_CALLS,
  ...JAX_CALLS,
  ...TFJS_CALLS,
];
