/** Safetensors files on a disk: Node, Deno and Bun. */

import { builtin } from '../core/platform.js';
import {
  decodeSafetensors,
  type EncodeOptions,
  encodeSafetensors,
  type NamedTensors,
  type Safetensors,
} from './safetensors.js';

type Files = typeof import('node:fs/promises');

/**
 * Reads a file. In browsers: `decodeSafetensors(await response.arrayBuffer())`.
 * @throws errors of `decodeSafetensors` and of the file system
 */
export async function readSafetensors(path: string | URL): Promise<Safetensors> {
  return decodeSafetensors(await filesFor('readSafetensors').readFile(path));
}

/**
 * Writes a file: first beside it under another name, so that there is always a whole one. With
 * several ranks one of them calls it.
 * @throws errors of `encodeSafetensors` and of the file system
 */
export async function writeSafetensors(
  path: string | URL,
  tensors: NamedTensors,
  options: EncodeOptions = {},
): Promise<void> {
  const bytes = encodeSafetensors(tensors, options);
  const files = filesFor('writeSafetensors');
  const partial = path instanceof URL ? new URL(`${path.href}.partial`) : `${path}.partial`;
  try {
    await files.writeFile(partial, bytes);
    await files.rename(partial, path);
  } catch (error) {
    await files.rm(partial, { force: true });
    throw error;
  }
}

function filesFor(caller: string): Files {
  const files = builtin<Files>('node:fs/promises');
  if (files !== null) return files;
  throw new Error(`${caller}: there is no file system here; use decode- and encodeSafetensors`);
}
