/**
 * `syncbn/reproducible`: the option `reproducible` of layers and of averaging. Only bundles for
 * browsers need to import it.
 */

import * as atoms from '../kernels/atoms.js';
import { plainAtoms } from '../kernels/plain.js';
import * as exact from '../kernels/wasm/exact.js';
import { exactKernels } from '../kernels/wasm/kernels.js';
import * as merging from '../ops/merge/exact.js';
import { exactMerging } from '../ops/merge/exact-merging.js';
import * as passes from '../parallel/exact-pass.js';
import { exactPasses } from '../parallel/exact-passes.js';

plainAtoms.fill(atoms);
exactKernels.fill(exact);
exactMerging.fill(merging);
exactPasses.fill(passes);
