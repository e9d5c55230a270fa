/** `syncbn/masks`: the option `mask` of forward calls. Only bundles for browsers import it. */

import { maskedKernels } from '../kernels/wasm/kernels.js';
import * as masked from '../kernels/wasm/masked.js';

maskedKernels.fill(masked);
