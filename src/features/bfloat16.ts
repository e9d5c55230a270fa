/** `syncbn/bfloat16`: the kernels of bfloat16. Only bundles for browsers need to import it. */

import { bfloat16 } from '../kernels/wasm/generated/bfloat16.js';
import { texts } from '../kernels/wasm/types.js';

texts.bfloat16.fill(bfloat16);
