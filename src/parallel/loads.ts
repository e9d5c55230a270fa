/** The passes of calls.ts, which `init` loads. In bundles for browsers passes.ts replaces it. */

import { loadAtInit } from '../core/features.js';

type Passes = typeof import('./passes.js');

let loaded: Passes | undefined;
loadAtInit(async () => {
  loaded = await import('./passes.js');
});

function passes(): Passes {
  // Its callers have found their group, so that `init` has been awaited.
  return loaded as Passes;
}

export const gradientPass: Passes['gradientPass'] = (...given) => passes().gradientPass(...given);
export const broadcastPass: Passes['broadcastPass'] = (...given) =>
  passes().broadcastPass(...given);
export const skipPass: Passes['skipPass'] = (...given) => passes().skipPass(...given);
