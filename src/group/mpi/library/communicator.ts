/** The communicator of this world's own, which all messages go through. */

import type { Waiting } from '../../rounds/waiting.js';
import { check, handleAt, type Mpi } from './library.js';
import { NativeMemory } from './memory.js';

/**
 * A copy of the communicator of all ranks, so that the program's own use of MPI is not disturbed.
 * @returns null when not all ranks have come within `seconds`
 */
export function duplicateWorld(mpi: Mpi, waiting: Waiting, seconds: number): number | null {
  const { cells, call, abi } = mpi;
  const [request, flag] = [cells.address + 16, cells.address + 32];
  check(mpi, 'MPI_Comm_idup', call.MPI_Comm_idup(abi.world, cells.address, request));
  const isThere = () => {
    check(mpi, 'MPI_Test', call.MPI_Test(request, flag, abi.statusesIgnore));
    return cells.words[8] !== 0;
  };
  if (!waiting.blockUntil(isThere, 1000 * seconds)) return null;
  const comm = handleAt(mpi, cells, 0);
  check(mpi, 'MPI_Comm_set_errhandler', call.MPI_Comm_set_errhandler(comm, abi.errorsReturn));
  return comm;
}

/** Bytes of room for the longest message. */
const LONGEST_BYTES = 1 << 14;

/** Receives messages that nobody waits for any more: all that have come, within `milliseconds`. */
export function drain(mpi: Mpi, comm: number, waiting: Waiting, milliseconds: number): void {
  const { call, abi, koffi } = mpi;
  const memory = new NativeMemory(koffi, 64 + LONGEST_BYTES);
  const { address, words } = memory;
  const [flag, request, room] = [address, address + 16, address + 64];
  let isReceiving = false;
  const isDone = () => {
    if (isReceiving) call.MPI_Test(request, flag, abi.statusesIgnore);
    if (isReceiving && words[0] === 0) return false;
    call.MPI_Iprobe(abi.anySource, abi.anyTag, comm, flag, abi.statusesIgnore);
    isReceiving = words[0] !== 0;
    const from = [abi.anySource, abi.anyTag, comm, request] as const;
    if (isReceiving) call.MPI_Irecv(room, LONGEST_BYTES, abi.byte, ...from);
    return !isReceiving;
  };
  // The memory stays if MPI still writes to it.
  if (waiting.blockUntil(isDone, milliseconds)) memory.free();
}
