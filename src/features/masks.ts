/** `syncbn/masks`: the option `mask` of forward calls. Bundles for browsers alone need to import it. */

import { maskedKernels } from '../kernels/wasm/kernels.js';
import * as masked from '../kernels/wasm/masked.js';

maskedKernels.fill(masked);
