/** What only calls with `add` or `activation` need, which `syncbn/tail` has. */

import { slotFor } from '../core/features.js';

export const tailCalls = slotFor<typeof import('./tail.js')>('tail');
