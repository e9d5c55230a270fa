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
  readonly #room: CollectiveArray;
  #part: CollectiveArray | null = null;

  /**
   * @param address of the first block
   * @param stride bytes from one block to the next; with `reduce`, those behind the data may change
   * @param room in the same memory, where a combination may be put: a block, or as long as one
   */
  constructor(
    views: readonly CollectiveArray[],
    address: number,
    stride: number,
    reduce: Reducer | null,
    room: CollectiveArray,
  ) {
    this.views = views;
    this.reduce = reduce;
    this.#address = address;
    this.#stride = stride;
    this.#room = room;
  }

  addressOf(rank: number): number {
    return this.#address + rank * this.#stride;
  }

  /** The same without the first `elements` of each. */
  from(elements: number): Blocks {
    const [first] = this.views;
    const views = this.views.map((view) => view.subarray(elements));
    const address = this.#address + elements * first.BYTES_PER_ELEMENT;
    return new Blocks(views, address, this.#stride, this.reduce, this.#room);
  }

  /** Whether `array` is one of these blocks, or their room: in the same memory. */
  isWithin(array: CollectiveArray): boolean {
    return array === this.#room || this.views.includes(array);
  }

  /** Room for `count` elements of a combination. */
  room(count: number): CollectiveArray {
    // A new view takes as long as copying 8 KiB; programs sum the same lengths again and again.
    if (this.#part?.length !== count) this.#part = this.#room.subarray(0, count);
    return this.#part as CollectiveArray;
  }
}
