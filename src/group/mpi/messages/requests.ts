/** Consecutive requests of MPI, until all of them are done. */

import { check, type Mpi } from '../library/library.js';
import { ALIGNMENT, NativeMemory } from '../library/memory.js';

export class Requests {
  readonly #mpi: Mpi;
  /** Flag of the tests. */
  readonly #flag: NativeMemory;
  #address = 0;
  #count = 0;
  #peers: readonly number[] = [];

  constructor(mpi: Mpi) {
    this.#mpi = mpi;
    this.#flag = new NativeMemory(mpi.koffi, ALIGNMENT);
  }

  /**
   * Makes {@link arrived} look at `count` requests at `address`.
   * @param peers members at the other end of the first of them
   */
  watch(address: number, count: number, peers: readonly number[]): void {
    this.#address = address;
    this.#count = count;
    this.#peers = peers;
  }

  arrived(): boolean {
    const { call, abi } = this.#mpi;
    const { address, words } = this.#flag;
    const code = call.MPI_Testall(this.#count, this.#address, address, abi.statusesIgnore);
    if (code !== 0) check(this.#mpi, 'MPI_Testall', code);
    return words[0] !== 0;
  }

  missing(): number[] {
    return [...new Set(this.#peers.filter((_, index) => !this.#take(index)))];
  }

  close(): void {
    this.#flag.free();
  }

  /** Takes request `index` if it is done. @returns true if it is */
  #take(index: number): boolean {
    const { call, abi } = this.#mpi;
    const request = this.#address + index * abi.handleBytes;
    call.MPI_Test(request, this.#flag.address, abi.statusesIgnore);
    return this.#flag.words[0] !== 0;
  }
}
