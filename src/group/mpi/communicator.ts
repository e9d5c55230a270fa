/** Communicators: the channels of their own that MPI gives each group. */

import { Frames } from './frames.js';
import { groupTag } from './gate.js';
import { check, handleAt, type Mpi } from './library.js';
import { NativeMemory } from './memory.js';

/** Bytes of payload in a frame: the most, the least, and what all frames of a group may take. */
const MAX_CAPACITY = 1 << 16;
const MIN_CAPACITY = 1 << 14;
const CAPACITIES = 1 << 20;

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

/** Frames for a group of `members`; fewer bytes each in larger groups. */
export function framesFor(mpi: Mpi, comm: number, member: number, members: number): Frames {
  const share = Math.floor(CAPACITIES / members / 64) * 64;
  const capacity = Math.min(MAX_CAPACITY, Math.max(MIN_CAPACITY, share));
  return new Frames(mpi, comm, member, members, capacity);
}

function returningErrors(mpi: Mpi, comm: number): number {
  const { MPI_Comm_set_errhandler } = mpi.call;
  check(mpi, 'MPI_Comm_set_errhandler', MPI_Comm_set_errhandler(comm, mpi.abi.errorsReturn));
  return comm;
}
