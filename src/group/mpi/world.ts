/**
 * The world of ranks that are processes, over MPI. Joined once in the life of a process; left by
 * `release` or by the end of the process.
 */

import { builtin, coreCount } from '../../core/platform.js';
import { hashLabel } from '../fingerprint.js';
import { departure } from '../rounds/header.js';
import type { Rounds } from '../rounds/rounds.js';
import { RoundsTransport } from '../rounds/transport.js';
import { Waiting } from '../rounds/waiting.js';
import { SoloTransport } from '../solo.js';
import type { Transport, World } from '../transport.js';
import { chooseRounds } from './choose-rounds.js';
import type { MpiLaunch } from './environment.js';
import { type Ending, ExitWatch } from './exits.js';
import { meet } from './gate.js';
import { createComm, duplicateWorld, freeComm, progressOf } from './library/communicator.js';
import { check, type Mpi, processExit, processorYield } from './library/library.js';
import { MessageRounds } from './messages/message-rounds.js';
import { Poll } from './poll.js';

/** Bytes of payload in frames of the world's own group, which carries notes only. */
const NOTE_BYTES = 1024;
/** Milliseconds that the last notes of groups may take to come in, once all ranks leave. */
const PARTING_MS = 100;
/** Milliseconds that a failing rank gives the others to learn why. */
const GRACE_MS = 150;
/** Milliseconds that a rank which fails since another did waits for that one's exit code to win. */
const DEFERENCE_MS = 3000;

/** Whether this process is in MPI, or was: it can be entered once only. */
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
  /** Set where MPI_Finalize is left out: its threads must not see the process fall apart. */
  readonly quit: ((exitCode: number) => void) | null;
  readonly #mpi: Mpi;
  readonly #comm: number;
  readonly #rest: Poll;
  readonly #waiting: Waiting;
  /** All ranks, for what concerns the world itself: hosts at first, departures at last. */
  readonly #control: RoundsTransport | null;
  readonly #groups = new Set<RoundsTransport>();
  readonly #watch: ExitWatch;
  /** World rank whose failure this rank has learnt of, or -1. */
  #failedRank = -1;
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
    this.#comm = duplicateWorld(mpi);
    this.#rest = new Poll(crowded, processorYield(mpi.koffi));
    this.#waiting = new Waiting(this.#rest);
    // What is awaited may lie in shared memory, and MPI moves on in calls of it alone.
    this.#waiting.add({ advance: progressOf(mpi, this.#comm) });
    this.#control = this.#makeControl();
    this.#watch = new ExitWatch(this);
    this.hostRanks = this.#findHostRanks();
  }

  connect(name: string, ranks: readonly number[]): Transport {
    if (ranks.length === 1) return new SoloTransport(this.rank);
    const { rank, timeout } = this;
    const mpi = this.#mpi;
    meet(mpi, this.#waiting, { name, ranks, rank, comm: this.#comm, timeout });
    const comm = createComm(mpi, this.#comm, name, ranks);
    const onOneHost = ranks.every((member) => this.hostRanks.includes(member));
    const members = { name, ranks, rank, comm, timeout, onOneHost };
    const rounds = chooseRounds(mpi, this.#waiting, members);
    const transport = this.#transport(name, ranks, rounds, (clean) => {
      this.#groups.delete(transport);
      if (clean) freeComm(mpi, comm);
    });
    this.#groups.add(transport);
    return transport;
  }

  /** Waits until all ranks leave, and ends MPI for this process. */
  release(): void {
    if (this.#left) return;
    this.finish();
    if (this.quit === null) this.#watch.stop();
  }

  get left(): boolean {
    return this.#left;
  }

  finish(): void {
    if (this.#left) return;
    this.#left = true;
    if (this.#control !== null) this.#leaveTogether(this.#control);
    for (const group of this.#groups) group.abandon();
    if (this.quit !== null) sayFinalized();
    else this.#mpi.call.MPI_Finalize();
  }

  abort(exitCode: number, text: string, trace: string): void {
    const line = `syncbn: rank ${this.rank} of ${this.size} failed with exit code ${exitCode}: ${text}`;
    // Written at once: the process does not live to see an asynchronous write.
    builtin<typeof import('node:fs')>('node:fs')?.writeSync(2, `${line}\n${trace}${trace && '\n'}`);
    if (this.#failedRank >= 0) this.#rest.sleep(DEFERENCE_MS);
    else this.#tellWhy(exitCode, text);
    this.#mpi.call.MPI_Abort(this.#mpi.abi.world, exitCode);
  }

  #tellWhy(exitCode: number, text: string): void {
    const reason = departure(exitCode, text, GRACE_MS);
    for (const group of this.#groups) if (!group.ended) group.leave(reason);
    // Others need the time to say what they were in; the abort ends them in mid-word.
    this.#waiting.blockUntil(() => false, GRACE_MS);
  }

  /** Leaves with all others. A rank that still calls a collective learns that this one has left. */
  #leaveTogether(control: RoundsTransport): void {
    const all = control.leave(departure(0));
    const notes = [...this.#groups].map((group) => group.leave(departure(0)));
    this.#waiting.blockUntil(() => all.settled, Number.POSITIVE_INFINITY);
    // What is still to come in at MPI_Finalize, UCX complains of on standard output.
    this.#waiting.blockUntil(() => notes.every(({ settled }) => settled), PARTING_MS);
  }

  #makeControl(): RoundsTransport | null {
    if (this.size === 1) return null;
    const rounds = new MessageRounds(this.#mpi, this.#comm, this.rank, this.size, NOTE_BYTES);
    const ranks = Array.from({ length: this.size }, (_, rank) => rank);
    return this.#transport('the world', ranks, rounds, () => {});
  }

  #transport(
    name: string,
    ranks: readonly number[],
    rounds: Rounds,
    onClose: (clean: boolean) => void,
  ): RoundsTransport {
    const onFailure = (rank: number) => {
      if (rank !== this.rank) this.#failedRank = rank;
    };
    // Measured, shapes of 0.4 to 26 MB a rank: one block wins, each further one waits for all ranks.
    const options = { name, ranks, rounds, waiting: this.#waiting, mostBlocks: 1 };
    return new RoundsTransport({ ...options, onFailure, onClose });
  }

  /** Ranks whose host has the name of this one's, and which the same launcher started. */
  #findHostRanks(): number[] {
    if (this.#control === null) return [0];
    const hostname = builtin<typeof import('node:os')>('node:os')?.hostname() ?? '';
    const input = Int32Array.of(hashLabel(hostname), Number(process.env.SYNCBN_NODE_RANK ?? 0));
    const output = new Int32Array(2 * this.size);
    const timeout = this.timeout * 1000;
    const what = {
      kind: 'allGather',
      op: 'sum',
      root: 0,
      label: 'init',
      message: '',
      gathered: null,
    } as const;
    this.#control.start({ ...what, input, output, timeout }).wait();
    return Array.from({ length: this.size }, (_, rank) => rank).filter(
      (rank) => output[2 * rank] === input[0] && output[2 * rank + 1] === input[1],
    );
  }
}

/** Starts MPI, unless the program has. @returns this rank and the number of ranks */
function enter(mpi: Mpi, launch: MpiLaunch, crowded: boolean): [number, number] {
  const { call, cells, abi } = mpi;
  // Only Open MPI reads it; where ranks share cores, its own waits then let the others run.
  if (crowded) process.env.OMPI_MCA_mpi_yield_when_idle ??= '1';
  check(mpi, 'MPI_Initialized', call.MPI_Initialized(cells.address));
  if (cells.words[0] === 0) {
    check(mpi, 'MPI_Init_thread', call.MPI_Init_thread(0, 0, abi.funneled, cells.address));
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
 * Whether the process ends without MPI_Finalize: MPICH over UCX hangs in it now and then where
 * ranks have no shared memory between them. All have left by then, and nothing is under way.
 */
function leavesUnfinished({ abi }: Mpi): boolean {
  if (abi.name !== 'MPICH') return false;
  const { SYNCBN_HOSTS, UCX_TLS } = process.env;
  return Number(SYNCBN_HOSTS ?? 1) > 1 || (UCX_TLS !== undefined && !/sm|shm|all/.test(UCX_TLS));
}

/** Tells a launcher that speaks PMI-1 (Slurm's is PMI-2) what MPI_Finalize would. */
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
