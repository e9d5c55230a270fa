/** Communicators: the channels of their own that MPI gives each group. */

import { groupTag, UNUSED_TAG } from '../gate.js';
import { check, handleAt, type Mpi } from './library.js';
import { NativeMemory } from './memory.js';

/** A copy of the communicator of all ranks, so that the program's own use of MPI is not disturbed. */
export function duplicateWorld(mpi: Mpi): number {
  const { cells, call, abi } = mpi;
  check(mpi, 'MPI_Comm_dup', call.MPI_Comm_dup(abi.world, cells.address));
  return returningErrors(mpi, handleAt(mpi, cells, 0));
}

/** A communicator of `ranks`, made by its members alone. */
export function createComm(
  mpi: Mpi,
  parent: number,
  name: string,
  ranks: readonly number[],
): number {
  const { cells, call } = mpi;
  const list = new NativeMemory(mpi.koffi, 4 * ranks.length);
  list.words.set(ranks);
  check(mpi, 'MPI_Comm_group', call.MPI_Comm_group(parent, cells.address));
  const all = handleAt(mpi, cells, 0);
  const [allAt, membersAt, commAt] = [0, 8, 16].map((offset) => cells.address + offset);
  check(mpi, 'MPI_Group_incl', call.MPI_Group_incl(all, ranks.length, list.address, membersAt));
  const members = handleAt(mpi, cells, 8);
  const code = call.MPI_Comm_create_group(parent, members, groupTag(name), commAt);
  check(mpi, 'MPI_Comm_create_group', code);
  const comm = handleAt(mpi, cells, 16);
  call.MPI_Group_free(membersAt);
  call.MPI_Group_free(allAt);
  list.free();
  return returningErrors(mpi, comm);
}

export function freeComm(mpi: Mpi, comm: number): void {
  const { cells, call, abi } = mpi;
  cells.words[0] = comm | 0;
  if (abi.handleBytes === 8) cells.words[1] = Math.floor(comm / 2 ** 32);
  check(mpi, 'MPI_Comm_free', call.MPI_Comm_free(cells.address));
}

/**
 * Lets MPI move on: it does so only in calls of it, and what other ranks wait for may still be on
 * its way out of this process.
 */
export function progressOf(mpi: Mpi, comm: number): () => void {
  const { call, cells, abi } = mpi;
  const flag = cells.address + 64;
  // A look for a message that nobody sends.
  return () => {
    call.MPI_Iprobe(0, UNUSED_TAG, comm, flag, abi.statusesIgnore);
  };
}

function returningErrors(mpi: Mpi, comm: number): number {
  const { MPI_Comm_set_errhandler } = mpi.call;
  check(mpi, 'MPI_Comm_set_errhandler', MPI_Comm_set_errhandler(comm, mpi.abi.errorsReturn));
  return comm;
}
