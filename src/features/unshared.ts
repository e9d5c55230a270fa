/**
 * `syncbn/unshared`: faster passes over tensors outside the kernels' memory. Only bundles for
 * browsers need to import it.
 */

import { fillUnshared } from '../ops/memory/near.js';
import { kernelsOver } from '../ops/memory/unshared.js';

fillUnshared(kernelsOver);
