/** Typed arrays without elements: detached ones, and objects of classes derived from theirs. */

import { show } from './show.js';

/** Base class of all typed arrays. */
export const AnyArray = Object.getPrototypeOf(Float32Array) as new () => ArrayLike<number>;

const readBuffer = Object.getOwnPropertyDescriptor(AnyArray.prototype, 'buffer')!.get!;

/**
 * Reads the buffer of an array by the class's own getter. Tensors' arrays have a property in its
 * place, which keeps them in memory when a program reads it; see ops/memory/views.ts.
 */
export function bufferOf(array: ArrayBufferView): ArrayBufferLike {
  return readBuffer.call(array);
}

/** True if `value` derives from a typed array but has no elements, such as a proxy. */
export function isHollow(value: unknown): boolean {
  return value instanceof AnyArray && !ArrayBuffer.isView(value);
}

/** @throws TypeError for an array whose memory went to another thread with a message */
export function checkAttached(array: ArrayBufferView, what: string): void {
  if (array.byteLength > 0) return;
  try {
    new Uint8Array(bufferOf(array));
  } catch {
    throw new TypeError(`${what}: this ${show(array)} was detached, as transfers do`);
  }
}
