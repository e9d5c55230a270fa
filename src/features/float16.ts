/** `syncbn/float16`: the kernels of float16. Only bundles for browsers need to import it. */

import { float16 } from '../kernels/wasm/generated/float16.js';
import { texts } from '../kernels/wasm/types.js';

texts.float16.fill(float16);
