/**
 * The kernels over tensors outside their memory that are too large for a copy. Every bundle for
 * browsers has them.
 */

import * as foreign from '../kernels/wasm/foreign.js';
import { fillForeign } from '../kernels/wasm/kernels.js';

fillForeign(foreign);
