/** Merging by exact sums, which few programs need. */

import { slotFor } from '../../core/features.js';

export const exactMerging = slotFor<typeof import('./exact.js')>('reproducible');
