/** Makes `init` load every feature. Bundles for browsers have none.ts in its place. */

import { loadWhenChecked } from '../core/check-mode.js';
import { loadAtInit } from '../core/features.js';

loadAtInit(() => import('./foreign.js'));
loadAtInit(() => import('./unshared.js'));
loadAtInit(() => import('./float64.js'));
loadAtInit(() => import('./float16.js'));
loadAtInit(() => import('./bfloat16.js'));
loadAtInit(() => import('./masks.js'));
loadAtInit(() => import('./reproducible.js'));
loadAtInit(() => import('./tail.js'));
loadWhenChecked(() => import('./checked.js'));
