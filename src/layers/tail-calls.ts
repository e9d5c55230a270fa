/** Code that only calls with `add` or `activation` need, in `syncbn/tail`. */

import { slotFor } from '../core/features.js';

export const tailCalls = slotFor<typeof import('./tail.js')>('tail');
