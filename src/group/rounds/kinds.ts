/** Values that are made once for each kind of array; the latest kind is found at once. */

import type { CopiedArray } from '../transport.js';

export interface Constructor {
  new (length: number): CopiedArray;
  new (buffer: ArrayBufferLike, offset: number, length: number): CopiedArray;
}

/** The class of `array`, without derived classes: Node's Buffer warns when it is made. */
export function kindOf(array: CopiedArray): Constructor {
  return array instanceof Uint8Array ? Uint8Array : (array.constructor as Constructor);
}

export class ByKind<T> {
  readonly #make: (kind: Constructor, elementBytes: number) => T;
  readonly #made = new Map<unknown, T>();
  #lastKind: unknown = null;
  #last: T | null = null;

  constructor(make: (kind: Constructor, elementBytes: number) => T) {
    this.#make = make;
  }

  of(like: CopiedArray): T {
    const kind = like.constructor;
    if (kind === this.#lastKind) return this.#last as T;
    let found = this.#made.get(kind);
    if (found === undefined) {
      found = this.#make(kindOf(like), like.BYTES_PER_ELEMENT);
      this.#made.set(kind, found);
    }
    this.#lastKind = kind;
    this.#last = found;
    return found;
  }
}
