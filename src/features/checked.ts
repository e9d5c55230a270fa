/** `syncbn/checked`: the option `check` of `init`. Only bundles for browsers need to import it. */

import * as layerChecks from '../layers/checked.js';
import { passChecks } from '../layers/passes.js';
import { averageChecks } from '../parallel/average.js';
import * as parallelChecks from '../parallel/checked.js';

passChecks.fill(layerChecks);
averageChecks.fill(parallelChecks);
