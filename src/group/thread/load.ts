/**
 * Joins a world of threads, whose code is loaded with the first. In bundles for browsers
 * thread-world.ts stands in for this file.
 */

import type { World } from '../transport.js';
import type { ThreadWorldHandle } from './world.js';

/** @throws TypeError and RangeError for anything but the handle of a world */
export async function joinThreadWorld(handle: ThreadWorldHandle): Promise<World> {
  const { joinThreadWorld: join } = await import('./node-world.js');
  return join(handle);
}
