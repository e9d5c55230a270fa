/** What is made once for each kind of array, and found at once for the kind of the last call. */

import type { CollectiveArray } from '../transport.js';

export type Constructor = new (
  buffer: ArrayBufferLike,
  offset: number,
  length: number,
) => CollectiveArray;

export class ByKind<T> {
  readonly #make: (kind: Constructor, elementBytes: number) => T;
  readonly #made = new Map<unknown, T>();
  #lastKind: unknown = null;
  #last: T | null = null;

  constructor(make: (kind: Constructor, elementBytes: number) => T) {
    this.#make = make;
  }

  of(like: CollectiveArray): T {
    const kind = like.constructor;
    if (kind === this.#lastKind) return this.#last as T;
    let found = this.#made.get(kind);
    if (found === undefined) {
      found = this.#make(kind as Constructor, like.BYTES_PER_ELEMENT);
      this.#made.set(kind, found);
    }
    this.#lastKind = kind;
    this.#last = found;
    return found;
  }
}
