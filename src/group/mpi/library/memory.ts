/** Native memory that JavaScript sees and MPI writes to: it never moves. */

import { addressOf, type Koffi } from './koffi.js';

/** A cache line; everything that MPI writes starts on one. */
export const ALIGNMENT = 64;

export function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

export class NativeMemory {
  /** Address of the first byte. */
  readonly address: number;
  /** All bytes; offset 0 lies at {@link address}. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Int32Array<ArrayBuffer>;
  readonly #koffi: Koffi;
  readonly #pointer: unknown;

  constructor(koffi: Koffi, size: number) {
    this.#koffi = koffi;
    const room = alignUp(size) + ALIGNMENT;
    this.#pointer = koffi.alloc('uint8', room);
    const start = addressOf(koffi, this.#pointer);
    const skip = alignUp(start) - start;
    this.address = start + skip;
    this.bytes = new Uint8Array(koffi.view(this.#pointer, room), skip, alignUp(size)).fill(0);
    this.words = new Int32Array(this.bytes.buffer, this.bytes.byteOffset, alignUp(size) / 4);
  }

  /** Gives the memory back; no view of it may be touched after. */
  free(): void {
    this.#koffi.free(this.#pointer);
  }
}
