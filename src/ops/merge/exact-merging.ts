/** Merging by exact sums, which `init` loads. */

import { loadedAtInit } from '../../core/ready.js';

export const exactMerging = loadedAtInit(() => import('./exact.js'));
