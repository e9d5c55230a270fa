/**
 * The world of ranks that are processes, over MPI. Joined once in the life of a process; left by
 * `release` or by the end of the process.
 */

import { DeadlineError } from '../../core/errors.js';
import { builtin, coreCount } from '../../core/platform.js';
import { hashLabel } from '../fingerprint.js';
import { recorder } from '../rounds/recorder.js';
import { RoundsTransport } from '../rounds/transport.js';
import { Waiting } from '../rounds/waiting.js';
import { SoloTransport } from '../solo.js';
import type { Transport, World } from '../transport.js';
import type { MpiLaunch } from './environment.js';
import { type Ending, ExitWatch } from './exits.js';
import { tellLauncher } from './launcher-line.js';
import { drain, duplicateWorld } from './library/communicator.js';
import { check, type Mpi, processExit, processorYield } from './library/library.js';
import { Lobby } from './lobby.js';
import { Meeting } from './meeting.js';
import { ALIVE } from './notices.js';
import { Poll } from './poll.js';

/** Milliseconds that the last frames of groups may take to come in, once all ranks have left. */
const PARTING_MS = 100;
/** Milliseconds that a failing rank gives the other ranks to learn why. */
const GRACE_MS = 150;
/** Milliseconds that a rank which fails after another waits, so that the first exit code wins. */
const DEFERENCE_MS = 3000;

/** Set while this process is in MPI, and after: it can enter MPI only once. */
let hasEntered = false;

export class MpiWorld implements World, Ending {
  readonly kind = 'mpi';
  readonly mayBlock = true;
  readonly rank: number;
  readonly size: number;
  readonly hostRanks: readonly number[];
  readonly timeout: number;
  /** First line of the MPI library's version text. */
  readonly library: string;
  /** Set if MPI_Finalize is left out: its threads must not see the process fall apart. */
  readonly quit: ((exitCode: number) => void) | null;
  readonly #mpi: Mpi;
  readonly #comm: number;
  readonly #rest: Poll;
  readonly #waiting: Waiting;
  readonly #lobby: Lobby;
  readonly #groups = new Map<RoundsTransport, Meeting>();
  readonly #watch: ExitWatch;
  #left = false;

  /** Enters MPI. @param timeout seconds that a collective may take by default */
  constructor(mpi: Mpi, launch: MpiLaunch, timeout: number) {
    if (hasEntered) {
      throw new Error('init: this process has left its world, and MPI can be entered once only');
    }
    const crowded = (launch.localSize ?? launch.size ?? 1) > coreCount();
    this.#mpi = mpi;
    this.timeout = timeout;
    this.library = mpi.version;
    this.quit = leavesUnfinished(mpi) ? processExit(mpi.koffi) : null;
    [this.rank, this.size] = enter(mpi, launch, crowded);
    hasEntered = true;
    recorder.identify(this.rank, this.size);
    this.#rest = new Poll(crowded, processorYield(mpi.koffi));
    this.#waiting = new Waiting(this.#rest);
    const comm = duplicateWorld(mpi, this.#waiting, timeout);
    if (comm === null) throw new DeadlineError(this.#late('the others'));
    this.#comm = comm;
    // An awaited collective may lie in shared memory, and MPI moves on only in calls of its own:
    // the lobby's.
    this.#lobby = new Lobby(mpi, comm, this.rank, this.#waiting);
    this.#watch = new ExitWatch(this);
    this.hostRanks = this.#findHostRanks();
  }

  connect(name: string, ranks: readonly number[]): Transport {
    const { rank, hostRanks } = this;
    if (ranks.length === 1) return new SoloTransport(rank);
    const place = { mpi: this.#mpi, comm: this.#comm, rank, hostRanks, lobby: this.#lobby };
    const meeting = new Meeting(place, name, ranks);
    const transport = new RoundsTransport({
      ...{ name, ranks, rank, rounds: meeting, waiting: this.#waiting },
      // Measured, shapes of 0.4 to 26 MB a rank: one block wins, each further one is a wait.
      mostBlocks: 1,
      onClose: () => this.#groups.delete(transport),
    });
    this.#groups.set(transport, meeting);
    return transport;
  }

  /** Waits until all ranks leave, and ends MPI for this process. */
  release(): void {
    if (this.#left) return;
    this.#leave(ALIVE);
    if (this.quit === null) this.#watch.stop();
  }

  get left(): boolean {
    return this.#left;
  }

  finish(): void {
    if (!this.#left) this.#leave(0);
  }

  abort(exitCode: number, text: string, trace: string): void {
    const line = `syncbn: rank ${this.rank} of ${this.size} failed with exit code ${exitCode}: ${text}`;
    // Written at once: the process does not live to see an asynchronous write.
    builtin<typeof import('node:fs')>('node:fs')?.writeSync(2, `${line}\n${trace}${trace && '\n'}`);
    if (this.#lobby.failedRank >= 0) this.#rest.sleep(DEFERENCE_MS);
    else this.#tellAll(exitCode, text);
    this.#mpi.call.MPI_Abort(this.#mpi.abi.world, exitCode);
  }

  /** Tells all groups' members, and then all ranks, that this one takes no further part. */
  #tellAll(exitCode: number, text = ''): void {
    for (const meeting of this.#groups.values()) meeting.leave(exitCode, text);
    this.#lobby.tell(this.#others, { kind: 'gone', numbers: [exitCode], text });
    // Other ranks need the time to name their collective; the abort ends them in mid-word.
    if (exitCode > 0) this.#waiting.blockUntil(() => false, GRACE_MS);
  }

  /** Leaves with all other ranks; a rank that calls another collective learns of this leave. */
  #leave(exitCode: number): void {
    this.#left = true;
    this.#tellAll(exitCode);
    for (const group of this.#groups.keys()) group.close('has ended: its world was left');
    const { gone } = this.#lobby;
    const hasFailed = () => this.#lobby.failedRank >= 0;
    const areGone = () => gone.size === this.size - 1 && this.#lobby.isIdle;
    this.#waiting.blockUntil(() => hasFailed() || areGone(), Number.POSITIVE_INFINITY);
    if (hasFailed()) {
      // It ends all ranks, and never reaches MPI_Finalize, which would wait for it forever.
      this.#rest.sleep(DEFERENCE_MS);
      return;
    }
    // UCX complains on standard output about messages that are still to come at MPI_Finalize.
    drain(this.#mpi, this.#comm, this.#waiting, PARTING_MS);
    if (this.quit !== null) sayFinalized();
    else this.#mpi.call.MPI_Finalize();
  }

  /** Finds the ranks with this rank's host name that the same launcher started. */
  #findHostRanks(): number[] {
    const hostname = builtin<typeof import('node:os')>('node:os')?.hostname() ?? '';
    const own = [hashLabel(hostname), Number(process.env.SYNCBN_NODE_RANK ?? 0)];
    const { hellos } = this.#lobby;
    this.#lobby.tell(this.#others, { kind: 'hello', numbers: own });
    const areHere = () => hellos.size === this.size - 1;
    if (!this.#waiting.blockUntil(areHere, 1000 * this.timeout)) {
      const missing = this.#others.filter((rank) => !hellos.has(rank));
      throw new DeadlineError(this.#late(`rank ${missing.join(', ')}`));
    }
    const isHere = (rank: number) => (hellos.get(rank) ?? own).join() === own.join();
    return Array.from({ length: this.size }, (_, rank) => rank).filter(isHere);
  }

  #late(whom: string): string {
    return `init: rank ${this.rank} waited ${this.timeout} s for ${whom}`;
  }

  get #others(): number[] {
    return Array.from({ length: this.size }, (_, rank) => rank).filter((r) => r !== this.rank);
  }
}

/** Starts MPI, unless the program has. @returns this rank and the number of ranks */
function enter(mpi: Mpi, launch: MpiLaunch, crowded: boolean): [number, number] {
  const { call, cells, abi } = mpi;
  // Only Open MPI reads it; if ranks share cores, its own waits then let other ranks run.
  if (crowded) process.env.OMPI_MCA_mpi_yield_when_idle ??= '1';
  check(mpi, 'MPI_Initialized', call.MPI_Initialized(cells.address));
  if (cells.words[0] === 0) {
    tellLauncher('init');
    check(mpi, 'MPI_Init_thread', call.MPI_Init_thread(0, 0, abi.funneled, cells.address));
    tellLauncher('ready');
  }
  call.MPI_Comm_rank(abi.world, cells.address);
  call.MPI_Comm_size(abi.world, cells.address + 4);
  const [rank, size] = cells.words;
  const expected = launch.size ?? size;
  if (size !== expected || rank !== launch.rank) {
    throw new Error(
      `init: ${launch.launcher} started this process as rank ${launch.rank} of ${expected}, but ${mpi.version} ` +
        `makes it rank ${rank} of ${size}: the library is not the launcher's`,
    );
  }
  return [rank, size];
}

/**
 * True if the process ends without MPI_Finalize: MPICH over UCX sometimes hangs in it if ranks have
 * no shared memory between them. All have left by then, and nothing is under way.
 */
function leavesUnfinished({ abi }: Mpi): boolean {
  if (abi.name !== 'MPICH') return false;
  const { SYNCBN_HOSTS, UCX_TLS } = process.env;
  return Number(SYNCBN_HOSTS ?? 1) > 1 || (UCX_TLS !== undefined && !/sm|shm|all/.test(UCX_TLS));
}

/** Tells a launcher that speaks PMI-1 (Slurm's is PMI-2) what MPI_Finalize would tell it. */
function sayFinalized(): void {
  const fs = builtin<typeof import('node:fs')>('node:fs');
  const channel = Number(process.env.PMI_FD);
  if (fs === null || !(channel > 0) || process.env.SLURM_PROCID !== undefined) return;
  try {
    fs.writeSync(channel, 'cmd=finalize\n');
    fs.readSync(channel, new Uint8Array(256));
  } catch {
    // The launcher is gone, or will answer later: the word has been said.
  }
}
