/** Finds the MPI library that belongs to the launcher, and prepares the calls that are made of it. */

import { CollectiveError } from '../../../core/errors.js';
import type { MpiFamily, MpiLaunch } from '../environment.js';
import { type Abi, identify } from './abi.js';
import type { Koffi, NativeCall, NativeLibrary } from './koffi.js';
import { NativeMemory } from './memory.js';

/** Names of the calls, with their numbers of parameters. */
const CALLS = {
  MPI_Initialized: 1,
  MPI_Init_thread: 4,
  MPI_Finalize: 0,
  MPI_Abort: 2,
  MPI_Comm_rank: 2,
  MPI_Comm_size: 2,
  MPI_Comm_idup: 3,
  MPI_Comm_set_errhandler: 2,
  MPI_Isend: 7,
  MPI_Irecv: 7,
  MPI_Send_init: 7,
  MPI_Recv_init: 7,
  MPI_Startall: 2,
  MPI_Testall: 4,
  MPI_Test: 3,
  MPI_Iprobe: 5,
  MPI_Request_free: 1,
  MPI_Error_string: 3,
  MPI_Get_library_version: 2,
} as const;

export type MpiCall = keyof typeof CALLS;

/** A loaded library: its calls, its constants, and two cells for single results. */
export interface Mpi {
  readonly koffi: Koffi;
  readonly abi: Abi;
  readonly call: Readonly<Record<MpiCall, NativeCall>>;
  /** First line of the library's own version text. */
  readonly version: string;
  readonly cells: NativeMemory;
}

const INSTALL: Record<MpiFamily, string> = {
  openmpi: 'apt-get install openmpi-bin libopenmpi3 (or conda install openmpi)',
  mpich: 'apt-get install mpich libmpich12 (or conda install mpich)',
};

/** File names by family. The bare libmpi.so is left out: on Debian it is of either family. */
function candidates(family: MpiFamily, env: NodeJS.ProcessEnv, platform: string): string[] {
  const linux = {
    openmpi: ['libmpi.so.40', 'libmpi_abi.so.0'],
    mpich: ['libmpich.so.12', 'libmpi.so.12', 'libmpi_abi.so.0'],
  };
  const mac = { openmpi: ['libmpi.40.dylib'], mpich: ['libmpi.12.dylib', 'libmpi_abi.0.dylib'] };
  const names = (platform === 'darwin' ? mac : linux)[family];
  const conda = env.CONDA_PREFIX;
  const folders = platform === 'darwin' ? ['/opt/homebrew/lib', '/usr/local/lib'] : [];
  return [
    ...(conda ? names.map((name) => `${conda}/lib/${name}`) : []),
    ...names,
    ...folders.flatMap((folder) => names.map((name) => `${folder}/${name}`)),
  ];
}

/**
 * Loads the library of the launch; SYNCBN_MPI_LIBRARY names another file.
 * @throws Error that names koffi, the library and the command that installs it
 */
export function loadMpi(koffi: Koffi, launch: MpiLaunch): Mpi {
  const { env, platform } = process;
  disarmHooks(env);
  const chosen = env.SYNCBN_MPI_LIBRARY;
  const families: MpiFamily[] = launch.family ? [launch.family] : ['openmpi', 'mpich'];
  const files = chosen ? [chosen] : families.flatMap((f) => candidates(f, env, platform));
  const failures: string[] = [];
  for (const file of files) {
    try {
      const library = koffi.load(file, { global: true });
      const abi = identify(koffi, library);
      if (fits(abi, launch.family)) return prepare(koffi, library, abi);
      failures.push(`${file} is ${abi.name}`);
    } catch (error) {
      failures.push(`${file}: ${(error as Error).message}`);
    }
  }
  const names = families.map((family) => INSTALL[family]).join('; or ');
  throw new Error(
    `init: rank ${launch.rank} was started by ${launch.launcher}, and koffi found no MPI library of ` +
      `that kind (${failures.join('; ')}); install one with: ${names}, or name its file in SYNCBN_MPI_LIBRARY`,
  );
}

/**
 * UCX, under MPICH and some Open MPIs, rewrites the system's memory calls as it starts, and tries
 * them out by moving the end of the heap. Node's other threads use these calls at that moment:
 * about one start in thirty crashed, at once or later. (openucx/ucx#3831 has the same cure.) UCX
 * also takes SIGHUP for a request to be debugged, and then stands still.
 */
function disarmHooks(env: NodeJS.ProcessEnv): void {
  env.UCX_MEM_EVENTS ??= 'n';
  env.UCX_DEBUG_SIGNO ??= '0';
}

/** Every launcher takes the standard ABI: the library below it is of one family or the other. */
function fits(abi: Abi, family: MpiFamily | null): boolean {
  if (family === null || (abi.name !== 'Open MPI' && abi.name !== 'MPICH')) return true;
  return abi.name === (family === 'openmpi' ? 'Open MPI' : 'MPICH');
}

function prepare(koffi: Koffi, library: NativeLibrary, abi: Abi): Mpi {
  const call = Object.fromEntries(
    // Every parameter is an int64: pointers, ints and handles all travel in whole registers, and
    // a number is what koffi converts fastest. No call has more than the 8 that registers hold.
    Object.entries(CALLS).map(([name, length]) => [
      name,
      library.func(name, 'int', Array(length).fill('int64')),
    ]),
  ) as Record<MpiCall, NativeCall>;
  // Room for MPI_MAX_LIBRARY_VERSION_STRING, which is 8192 at most.
  const cells = new NativeMemory(koffi, 8192 + 128);
  call.MPI_Get_library_version(cells.address + 128, cells.address);
  const text = textAt(cells, 128, cells.words[0]);
  return { koffi, abi, call, version: text.split('\n')[0].trim(), cells };
}

function textAt(memory: NativeMemory, offset: number, length: number): string {
  return new TextDecoder()
    .decode(memory.bytes.slice(offset, offset + length))
    .replace(/\0.*$/s, '');
}

/** MPI itself reports that a call went wrong. The collectives under way are lost. */
export class MpiError extends CollectiveError {
  override name = 'MpiError';
}

/** @throws MpiError with MPI's own text unless `code` is MPI_SUCCESS */
export function check(mpi: Mpi, name: MpiCall, code: number): void {
  if (code === 0) return;
  const { cells } = mpi;
  mpi.call.MPI_Error_string(code, cells.address + 128, cells.address);
  throw new MpiError(`${name} failed: ${textAt(cells, 128, cells.words[0])}`);
}

/** A handle that MPI wrote at `offset`. */
export function handleAt({ abi }: Mpi, memory: NativeMemory, offset: number): number {
  const low = memory.words[offset / 4];
  if (abi.handleBytes === 4) return low;
  return memory.words[offset / 4 + 1] * 2 ** 32 + (low >>> 0);
}

/** Writes a handle to `offset`, for MPI to read. */
export function putHandle(
  { abi }: Mpi,
  memory: NativeMemory,
  offset: number,
  handle: number,
): void {
  memory.words[offset / 4] = handle | 0;
  if (abi.handleBytes === 8) memory.words[offset / 4 + 1] = Math.floor(handle / 2 ** 32);
}

/** Gives the processor to another process that waits; null if the system has no such call. */
export function processorYield(koffi: Koffi): (() => void) | null {
  try {
    return koffi.load(null).func('sched_yield', 'int', []);
  } catch {
    return null;
  }
}

/** Ends the process without the cleaning up of libraries. */
export function processExit(koffi: Koffi): (exitCode: number) => void {
  return koffi.load(null).func('_exit', 'void', ['int']);
}
