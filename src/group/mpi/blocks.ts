/** What the ranks of a group have sent, as arrays of one kind: one a rank, equally far apart. */

import type { Reducer } from '../reducer.js';
import type { CollectiveArray } from '../transport.js';

export class Blocks {
  /** In rank order. */
  readonly views: readonly CollectiveArray[];
  /** Combines the blocks in a WebAssembly memory; null where they lie in another. */
  readonly reduce: Reducer | null;
  readonly #address: number;
  readonly #stride: number;
  #beginning: CollectiveArray | null = null;

  /**
   * @param address of the first block
   * @param stride bytes from one block to the next; with `reduce`, those behind the data may change
   */
  constructor(
    views: readonly CollectiveArray[],
    address: number,
    stride: number,
    reduce: Reducer | null,
  ) {
    this.views = views;
    this.reduce = reduce;
    this.#address = address;
    this.#stride = stride;
  }

  addressOf(rank: number): number {
    return this.#address + rank * this.#stride;
  }

  /** The first `count` elements of the first block. */
  beginning(count: number): CollectiveArray {
    // A new view takes as long as copying 8 KiB; programs sum the same lengths again and again.
    if (this.#beginning?.length !== count) this.#beginning = this.views[0].subarray(0, count);
    return this.#beginning as CollectiveArray;
  }
}
