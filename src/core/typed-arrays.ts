/** Typed arrays that hold nothing: detached ones, and what only derives from their classes. */

import { show } from './show.js';

/** What all typed arrays derive from. */
export const AnyArray = Object.getPrototypeOf(Float32Array) as new () => ArrayLike<number>;

const readBuffer = Object.getOwnPropertyDescriptor(AnyArray.prototype, 'buffer')!.get!;

/**
 * The buffer of an array, past what tensors' arrays have in the place of this property: they stay
 * in memory for whom they tell it; see ops/memory/views.ts.
 */
export function bufferOf(array: ArrayBufferView): ArrayBufferLike {
  return readBuffer.call(array);
}

/** Whether `value` derives from a typed array and is none, such as a proxy: it has no elements. */
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
