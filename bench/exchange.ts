/**
 * All-gather between the threads of the benchmark, by spinning on shared memory: the least that a
 * collective can cost, so that kernels are measured and not a transport.
 */

const SLOT = 16384;
/** Int32 places a cache line apart. */
const GENERATION = 0;
const ARRIVED = 32;

export function exchangeMemory(ranks: number): SharedArrayBuffer {
  return new SharedArrayBuffer(256 + 2 * ranks * SLOT * 8);
}

export class Exchange {
  readonly rank: number;
  readonly ranks: number;
  readonly #control: Int32Array;
  readonly #values: Float64Array;
  #phase = 0;

  constructor(memory: SharedArrayBuffer, rank: number, ranks: number) {
    this.rank = rank;
    this.ranks = ranks;
    this.#control = new Int32Array(memory, 0, 64);
    this.#values = new Float64Array(memory, 256);
  }

  /** Ends when every rank has called it. */
  barrier(): void {
    if (this.ranks === 1) return;
    // The generation is read before this rank announces itself: afterwards it may have moved on.
    const generation = Atomics.load(this.#control, GENERATION);
    if (Atomics.add(this.#control, ARRIVED, 1) === this.ranks - 1) {
      Atomics.store(this.#control, ARRIVED, 0);
      Atomics.store(this.#control, GENERATION, generation + 1);
    } else {
      while (Atomics.load(this.#control, GENERATION) === generation);
    }
  }

  /**
   * Puts a[from..to) and b[from..to) of every rank side by side; `each` gets them rank by rank.
   * Two sets of slots take turns, so that one barrier is enough.
   */
  gather(a: Float64Array, b: Float64Array, from: number, to: number): { base: number } {
    this.#phase ^= 1;
    const base = this.#phase * this.ranks * SLOT;
    let at = base + this.rank * SLOT;
    for (let c = from; c < to; c++) {
      this.#values[at++] = a[c];
      this.#values[at++] = b[c];
    }
    this.barrier();
    this.base = base;
    return this;
  }

  base = 0;

  /** Value 0 or 1 of a channel (counted from the first gathered) of one rank. */
  value(rank: number, channel: number, which: 0 | 1): number {
    return this.#values[this.base + rank * SLOT + 2 * channel + which];
  }
}
