/**
 * Joins a world of threads, whose code is loaded with the first. In bundles for browsers
 * thread-world.ts stands in for this file.
 */

import type { World } from '../transport.js';
import type { ThreadWorldHandle } from './world.js';

/** @throws TypeError and RangeError for anything but the handle of a world */
export async function joinThreadWorld(handle: ThreadWorldHandle): Promise<World> {
  const [{ joinThreadWorld: join }, { useNodeCopies }, { useDirect }] = await Promise.all([
    import('./thread-world.js'),
    import('../rounds/node-copies.js'),
    import('../rounds/direct.js'),
  ]);
  useNodeCopies();
  useDirect();
  return join(handle);
}
