/**
 * Copies of long arrays on Node. V8 copies to and from memory that threads share word by word;
 * `Buffer.fill` is the one call of Node's that copies any memory by the system's memcpy.
 */

import { builtin } from '../../core/platform.js';
import { setLongCopy } from './contributions.js';

/** Makes long copies fast, where that is known to help. Harmless if called again. */
export function useNodeCopies(): void {
  const { versions } = (globalThis as { process?: NodeJS.Process }).process ?? {};
  // Deno and Bun have a Buffer of their own.
  if (versions === undefined || 'deno' in versions || 'bun' in versions) return;
  const fill = builtin<typeof import('node:buffer')>('node:buffer')?.Buffer.prototype.fill;
  if (fill !== undefined)
    setLongCopy((target, source) => fill.call(target as Uint8Array, source as Uint8Array));
}
