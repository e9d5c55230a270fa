/** Worlds of threads on Node, which has faster copies than V8's own; see load.ts. */

import { useNodeCopies } from '../rounds/node-copies.js';
import type { World } from '../transport.js';
import { joinThreadWorld as join } from './thread-world.js';
import type { ThreadWorldHandle } from './world.js';

/** @throws TypeError and RangeError for anything but the handle of a world */
export function joinThreadWorld(handle: ThreadWorldHandle): Promise<World> {
  useNodeCopies();
  return join(handle);
}
