/** MPI_Allreduce without this package: from C, or called through koffi where no compiler is. */

import { identify } from '../../src/group/mpi/library/abi.js';
import { loadKoffi, type NativeLibrary } from '../../src/group/mpi/library/koffi.js';
import { NativeMemory } from '../../src/group/mpi/library/memory.js';

export interface Direct {
  /** The library's name and version. */
  readonly version: string;
  /** The sum over all ranks. */
  sum(values: Float64Array): Float64Array;
  /** Microseconds a call, of `calls` sums of `count` float64. */
  batch(count: number, calls: number): number;
}

/** Elements of the longest sum. */
const ROOM = 2 ** 16;

/**
 * The calls of the MPI library that `init` has loaded and started.
 * @param compiled mpi.c as a library; without one, koffi's own time is in each call
 */
export async function openDirect(compiled: string | undefined): Promise<Direct> {
  const koffi = await loadKoffi();
  // `init` has made its symbols global.
  const mpi = koffi.load(null);
  const [own, all] = [new NativeMemory(koffi, 8 * ROOM), new NativeMemory(koffi, 8 * ROOM)];
  const [values, sums] = [own, all].map(
    ({ bytes }) => new Float64Array(bytes.buffer, bytes.byteOffset, ROOM),
  );
  const version = versionOf(mpi, own);
  values.fill(0);
  const withCheck = (sum: (count: number) => void) => (given: Float64Array) => {
    values.set(given);
    sum(given.length);
    values.fill(0);
    return sums.slice(0, given.length);
  };
  if (compiled !== undefined) {
    const library = koffi.load(compiled);
    const once = library.func('allreduce_once', 'void', ['int64', 'int64', 'int']);
    const batch = library.func('allreduce_batch', 'double', ['int', 'int']);
    return { version, batch, sum: withCheck((count) => once(own.address, all.address, count)) };
  }
  const { double, sum, world } = identify(koffi, mpi);
  const call = mpi.func('MPI_Allreduce', 'int', Array(6).fill('int64'));
  const allReduce = (count: number) => call(own.address, all.address, count, double, sum, world);
  return {
    version,
    sum: withCheck(allReduce),
    batch(count, calls) {
      const start = performance.now();
      for (let i = 0; i < calls; i++) allReduce(count);
      return ((performance.now() - start) / calls) * 1000;
    },
  };
}

/** "Open MPI 4.1.4", of "Open MPI v4.1.4, package: ..."; "MPICH 4.0.2", of "MPICH Version: 4.0.2". */
function versionOf(mpi: NativeLibrary, memory: NativeMemory): string {
  const at = 64;
  mpi.func('MPI_Get_library_version', 'int', ['int64', 'int64'])(
    memory.address + at,
    memory.address,
  );
  const text = new TextDecoder().decode(memory.bytes.slice(at, at + memory.words[0]));
  const [, family, number] = /^(\D+?)\s*(?:Version:|v)\s*([\d.]+)/.exec(text) ?? [];
  return family === undefined ? text.split(/[\n,\0]/)[0] : `${family} ${number}`;
}
