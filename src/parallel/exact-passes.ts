/** Averages by exact sums, which few programs need. */

import { slotFor } from '../core/features.js';

export const exactPasses = slotFor<typeof import('./exact-pass.js')>('reproducible');
