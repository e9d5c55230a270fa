/**
 * Handles and constants of the MPI families. Open MPI's handles are addresses of its symbols,
 * MPICH's and the standard ABI's (MPI 5) are fixed numbers. Sources: the families' mpi.h.
 */

import { addressOf, type Koffi, type NativeLibrary } from './koffi.js';

export interface Abi {
  /** Name of the library in errors. */
  readonly name: string;
  readonly world: number;
  readonly byte: number;
  /** MPI_DOUBLE and MPI_SUM are for the benchmark alone. */
  readonly double: number;
  readonly sum: number;
  readonly errorsReturn: number;
  /** MPI_STATUSES_IGNORE. */
  readonly statusesIgnore: number;
  /** MPI_ANY_SOURCE. */
  readonly anySource: number;
  /** MPI_ANY_TAG. */
  readonly anyTag: number;
  /** MPI_THREAD_FUNNELED. */
  readonly funneled: number;
  /** Bytes of a handle in memory. */
  readonly handleBytes: 4 | 8;
  /** Bytes of the longest message that the library sends without asking the receiver first. */
  readonly pieceBytes: number;
}

const MPICH: Abi = {
  name: 'MPICH',
  world: 0x44000000,
  byte: 0x4c00010d,
  double: 0x4c00080b,
  sum: 0x58000003,
  errorsReturn: 0x54000001,
  statusesIgnore: 1,
  anySource: -2,
  anyTag: -1,
  funneled: 1,
  handleBytes: 4,
  // UCX's segments of shared memory have 8256 bytes, less its headers. Measured: 8240 still fits.
  pieceBytes: 8240,
};

const STANDARD: Abi = {
  name: 'the standard MPI ABI',
  world: 0x101,
  byte: 0x247,
  double: 0x214,
  sum: 0x21,
  errorsReturn: 0x142,
  statusesIgnore: 0,
  anySource: -1,
  anyTag: -31,
  funneled: 1024,
  handleBytes: 8,
  // The library below may be either family; this suits both.
  pieceBytes: 4040,
};

function openMpi(koffi: Koffi, library: NativeLibrary): Abi {
  const at = (name: string) => addressOf(koffi, library.symbol(`ompi_mpi_${name}`));
  return {
    name: 'Open MPI',
    world: at('comm_world'),
    byte: at('byte'),
    double: at('double'),
    sum: at('op_sum'),
    errorsReturn: at('errors_return'),
    statusesIgnore: 0,
    anySource: -1,
    anyTag: -1,
    funneled: 1,
    handleBytes: 8,
    // The limit of its shared memory is 4096, less its headers. Measured: 4040 is fast, 4064 not.
    pieceBytes: 4040,
  };
}

/** Finds the family of a loaded library, asked in an order that does not depend on its name. */
export function identify(koffi: Koffi, library: NativeLibrary): Abi {
  if (announcesStandard(koffi, library)) return STANDARD;
  return has(library, 'ompi_mpi_comm_self') ? openMpi(koffi, library) : MPICH;
}

function announcesStandard(koffi: Koffi, library: NativeLibrary): boolean {
  if (!has(library, 'MPI_Abi_get_version')) return false;
  const cell = koffi.alloc('int', 16);
  const words = new Int32Array(koffi.view(cell, 64));
  const at = addressOf(koffi, cell);
  library.func('MPI_Abi_get_version', 'int', ['int64', 'int64'])(at, at + 8);
  const major = words[0];
  koffi.free(cell);
  return major > 0;
}

function has(library: NativeLibrary, name: string): boolean {
  try {
    return library.symbol(name) !== null;
  } catch {
    return false;
  }
}
