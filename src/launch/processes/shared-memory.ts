/** MPICH's ranks of one host meet in /dev/shm, which is small in containers. */

import { statfsSync } from 'node:fs';

/** MiB that UCX takes for each rank, rounded up. */
const MIB_PER_RANK = 5;

/** Output of MPICH and UCX when they cannot start. */
const TROUBLE = /MPI_Init_thread.*failed|\/dev\/shm/;

/** Hint for a failure of `ranks` ranks on a host, one of which wrote `tail`; '' if none fits. */
export function sharedMemoryHint(tail: string, ranks: number): string {
  const mib = sharedMib();
  if (!TROUBLE.test(tail) || mib === null || mib >= MIB_PER_RANK * ranks) return '';
  return (
    `: MPICH could not start, for /dev/shm has ${mib} MiB, and ${ranks} ranks need some ` +
    `${MIB_PER_RANK * ranks}; make it larger (docker run --shm-size=1g), or have MPICH go without: ` +
    'UCX_TLS=tcp,self'
  );
}

function sharedMib(): number | null {
  try {
    const { blocks, bsize } = statfsSync('/dev/shm');
    return Math.floor((blocks * bsize) / 2 ** 20);
  } catch {
    return null;
  }
}
