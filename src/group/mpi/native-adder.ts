/**
 * Sums by MPI_Reduce_local, for frames that lie in no WebAssembly memory, and where it adds to the
 * caller's array faster than a sum and a copy would. It adds element by element, so a chain of it
 * gives the bits of the readable loop.
 */

import type { Adder, Contributions } from '../rounds/contributions.js';
import type { CollectiveArray, CopiedArray } from '../transport.js';
import type { NativeFrameMemory } from './frame-memory.js';
import { addressOf } from './library/koffi.js';
import { check, type Mpi } from './library/library.js';

/** Elements from which on a call of MPI is faster than a loop. */
const NATIVE_FROM = 192;

export class NativeAdder implements Adder {
  readonly #mpi: Mpi;
  readonly #memory: NativeFrameMemory;

  /** @param memory that the contributions lie in */
  constructor(mpi: Mpi, memory: NativeFrameMemory) {
    this.#mpi = mpi;
    this.#memory = memory;
  }

  add({ views, reduce }: Contributions, out: CollectiveArray, count: number): boolean {
    const type = reduce !== null || count < NATIVE_FROM ? 0 : this.#typeOf(out, views.length);
    if (type === 0) return false;
    // Of two, either order gives the same bits, so the sum can be where it is wanted.
    const into = views.length === 2 && out === views[1] ? 1 : 0;
    const target = this.#addressOf(views[into]);
    for (let r = 0; r < views.length; r++) {
      if (r !== into) this.#reduce(this.#addressOf(views[r]), target, count, type);
    }
    if (out !== views[into]) out.set(views[into].subarray(0, count));
    return true;
  }

  addOther({ views, reduce }: Contributions, other: number, out: CollectiveArray, count: number) {
    if (count < NATIVE_FROM || (reduce !== null && !this.#mpi.abi.sumsFast)) return false;
    const type = this.#typeOf(out, 2);
    if (type === 0) return false;
    const target = addressOf(this.#mpi.koffi, out);
    this.#reduce(this.#addressOf(views[other]), target, count, type);
    return true;
  }

  #reduce(from: number, into: number, count: number, type: number): void {
    const { call, abi } = this.#mpi;
    const code = call.MPI_Reduce_local(from, into, count, type, abi.sum);
    if (code !== 0) check(this.#mpi, 'MPI_Reduce_local', code);
  }

  #addressOf(view: CopiedArray): number {
    return this.#memory.address + view.byteOffset - this.#memory.bytes.byteOffset;
  }

  /**
   * MPI's type for a sum with the loop's bits, or 0. Float32 sums of more than two ranks are carried
   * in float64, and Int32 sums wrap around, which C does not promise.
   */
  #typeOf(like: CollectiveArray, ranks: number): number {
    const { abi } = this.#mpi;
    if (like instanceof Float64Array) return abi.double;
    return like instanceof Float32Array && ranks === 2 ? abi.float : 0;
  }
}
