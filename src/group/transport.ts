/**
 * The seam between groups and the carriers of their data: solo, threads, MPI, relay.
 *
 * A transport may assume what {@link ProcessGroup} has checked: arrays of one kind, matching
 * lengths, a root inside the group. It owes every caller a deadline, and an error that names the
 * ranks and their calls when they disagree.
 */

import type { FloatArray } from '../core/dtype.js';

/** Arrays that an all-reduce combines. Any buffer will do, shared ones included. */
export type CollectiveArray = Float64Array | Float32Array | Int32Array;

/** Arrays that a gather or a broadcast copies. */
export type CopiedArray = CollectiveArray | Uint8Array | Int8Array;

/** Combination of the ranks' elements; 'mean' is the sum over the number of ranks. */
export type ReduceOp = 'sum' | 'max' | 'min' | 'mean' | 'product';

/**
 * Operations, by their names in errors. `raise` joins a collective with an error instead of data;
 * `gatherAll` is an all-gather of arrays whose lengths may differ.
 */
export type CollectiveKind =
  | 'allReduce'
  | 'allGather'
  | 'broadcast'
  | 'barrier'
  | 'raise'
  | 'gatherAll';

/**
 * Many arrays that a collective takes for one, without copying them together. Each begins at a
 * multiple of 16 bytes, which leaves gaps: nothing is read into the gaps or written from them.
 */
export interface ArrayList {
  /** Elements that ranks must agree on, without the gaps. */
  readonly count: number;
  /** Elements with the gaps. */
  readonly length: number;
  /** Copies elements [from, from + target.length) to `target`. */
  read(target: FloatArray, from: number): void;
  /** Copies `source` to elements [from, from + source.length). */
  write(source: FloatArray, from: number): void;
}

/** Weights of an average of the ranks' numbers, the same on all ranks; see `averageRanks`. */
export interface Weights {
  /** By group rank. */
  readonly weights: Float64Array;
  readonly divisor: number;
}

/** One collective: the fingerprint that ranks must agree on, and this rank's arrays. */
export interface Collective {
  readonly kind: CollectiveKind;
  /** Combination of an all-reduce; 'sum' otherwise. */
  readonly op: ReduceOp;
  /** Group rank whose data a broadcast sends; 0 otherwise. */
  readonly root: number;
  /** Data that this rank gives. Empty for a barrier. */
  readonly input: CopiedArray;
  /** Receives the result; may be `input` itself. An all-gather's is `size` times as long. */
  readonly output: CopiedArray;
  /** Of `gatherAll`: receives the ranks' arrays, in rank order; else null. */
  readonly gathered: CopiedArray[] | null;
  /** Owner of the call, such as "SyncBatchNorm 'bn2'"; '' if the caller gave none. */
  readonly label: string;
  /** Milliseconds until the call fails; Infinity: never. */
  readonly timeout: number;
  /** Of `raise`: the text with which every other rank's call fails. */
  readonly message: string;
  /** Arrays in place of `input` and `output`, which then are empty and only tell their kind. */
  readonly list?: ArrayList | null;
  /** Of an all-reduce of a list. */
  readonly by?: Weights | null;
}

/** A collective under way. */
export interface Work<T> {
  /**
   * Blocks until the collective is over and returns its result.
   * @throws TypeError if the world can only be awaited, such as on a browser's main thread
   */
  wait(): T;
  /** Awaits the result without blocking. */
  done(): Promise<T>;
}

/** Carries the collectives of one group for one of its ranks. */
export interface Transport {
  /** Most pieces that one exchange may be cut into before its latency outweighs the saving. */
  readonly mostBlocks: number;
  /** True if a work's `wait` may be called on this thread; else only `done`. */
  readonly mayBlock: boolean;
  /** Starts a collective; collectives of one group run in the order of their starts. */
  start(call: Collective): Work<void>;
  /** Frees the group's memory. Pending works fail. */
  close(): void;
}

/** The ranks of one launch, as one of them sees them. */
export interface World {
  /** 'solo', 'thread', 'mpi' or 'relay'. */
  readonly kind: string;
  /** True if this rank may wait for a collective by blocking; else it awaits each. */
  readonly mayBlock: boolean;
  readonly rank: number;
  readonly size: number;
  /** World ranks on this rank's host, in rising order. */
  readonly hostRanks: readonly number[];
  /** Seconds that a collective may take unless its caller names another deadline. */
  readonly timeout: number;
  /** Makes a transport among `ranks` (world ranks, this one included), for the group `name`. */
  connect(name: string, ranks: readonly number[]): Transport;
  /** Leaves the world; other ranks that still wait for this one fail. */
  release(): void;
}
