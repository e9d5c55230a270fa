/** Requests of MPI that lie one behind the other, until all of them are done. */

import type { Arrival } from '../../rounds/rounds.js';
import { check, type Mpi } from '../library/library.js';
import { ALIGNMENT, NativeMemory } from '../library/memory.js';

export class Requests implements Arrival {
  readonly #mpi: Mpi;
  /** Flag of the tests. */
  readonly #flag: NativeMemory;
  #address = 0;
  #count = 0;

  constructor(mpi: Mpi) {
    this.#mpi = mpi;
    this.#flag = new NativeMemory(mpi.koffi, ALIGNMENT);
  }

  /** Lets `count` requests at `address` be what {@link arrived} looks at. */
  watch(address: number, count: number): void {
    this.#address = address;
    this.#count = count;
  }

  arrived(): boolean {
    return this.firstArrived(this.#count);
  }

  /** Whether the first `count` are done. */
  firstArrived(count: number): boolean {
    const code = this.#mpi.call.MPI_Testall(
      count,
      this.#address,
      this.#flag.address,
      this.#mpi.abi.statusesIgnore,
    );
    if (code !== 0) check(this.#mpi, 'MPI_Testall', code);
    return this.#flag.words[0] !== 0;
  }

  /** Takes request `index` if it is done. @returns whether it is */
  take(index: number): boolean {
    const { call, abi } = this.#mpi;
    const request = this.#address + index * abi.handleBytes;
    call.MPI_Test(request, this.#flag.address, abi.statusesIgnore);
    return this.#flag.words[0] !== 0;
  }

  close(): void {
    this.#flag.free();
  }
}
