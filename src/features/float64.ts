/** `syncbn/float64`: the kernels of float64. Only bundles for browsers need to import it. */

import { float64 } from '../kernels/wasm/generated/float64.js';
import { texts } from '../kernels/wasm/types.js';

texts.float64.fill(float64);
