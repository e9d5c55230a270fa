/**
 * `syncbn/tail`: the options `add` and `activation` of forward calls. Only bundles for browsers
 * need to import it.
 */

import { plainTail } from '../kernels/plain.js';
import * as plain from '../kernels/plain-tail.js';
import { tailKernels } from '../kernels/wasm/kernels.js';
import * as kernels from '../kernels/wasm/tails.js';
import * as calls from '../layers/tail.js';
import { tailCalls } from '../layers/tail-calls.js';

plainTail.fill(plain);
tailKernels.fill(kernels);
tailCalls.fill(calls);
