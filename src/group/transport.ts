/**
 * The seam between groups and what carries their data: solo, threads, MPI.
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

/** How an all-reduce combines the ranks' elements; 'mean' is the sum over the number of ranks. */
export type ReduceOp = 'sum' | 'max' | 'min' | 'mean' | 'product';

/**
 * Operations, as errors name them. `raise` joins a collective with an error instead of data;
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
 * multiple of 16 bytes, which leaves gaps: nothing is read into them and nothing written from them.
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

/** What ranks' numbers are averaged by, alike on all of them; see `averageRanks`. */
export interface Weights {
  /** By group rank. */
  readonly weights: Float64Array;
  readonly divisor: number;
}

/** One collective: what the ranks' fingerprints must agree on, and this rank's arrays. */
export interface Collective {
  readonly kind: CollectiveKind;
  /** Combination of an all-reduce; 'sum' otherwise. */
  readonly op: ReduceOp;
  /** Group rank whose data a broadcast sends; 0 otherwise. */
  readonly root: number;
  /** What this rank gives. Empty for a barrier. */
  readonly input: CopiedArray;
  /** Where the result goes; may be `input` itself. An all-gather's is `size` times as long. */
  readonly output: CopiedArray;
  /** Of `gatherAll`: where the ranks' arrays are put, in rank order; else null. */
  readonly gathered: CopiedArray[] | null;
  /** What the call belongs to, such as "SyncBatchNorm 'bn2'"; '' when the caller gave none. */
  readonly label: string;
  /** Milliseconds until the call fails; Infinity: never. */
  readonly timeout: number;
  /** Of `raise`: the text that every other rank's call fails with. */
  readonly message: string;
  /** Arrays in place of `input` and `output`, which then are empty and tell their kind. */
  readonly list?: ArrayList | null;
  /** Of an all-reduce of a list. */
  readonly by?: Weights | null;
}

/** A collective under way. */
export interface Work<T> {
  /**
   * Blocks until the collective is over and returns its result.
   * @throws TypeError where the world can only be awaited, such as on a browser's main thread
   */
  wait(): T;
  /** The same without blocking. */
  done(): Promise<T>;
}

/** Carries the collectives of one group for one of its ranks. */
export interface Transport {
  /** Pieces that one exchange may be cut into before its latency outweighs what that saves. */
  readonly mostBlocks: number;
  /** Whether a work's `wait` may be called on this thread; else there is `done` alone. */
  readonly mayBlock: boolean;
  /** Starts a collective; collectives of one group run in the order of their starts. */
  start(call: Collective): Work<void>;
  /** Frees what the group held. Outstanding works fail. */
  close(): void;
}

/** The ranks of one launch, as one of them sees them. */
export interface World {
  /** 'solo', 'thread' or 'mpi'. */
  readonly kind: string;
  /** Whether this rank may wait for a collective by blocking; else it awaits each. */
  readonly mayBlock: boolean;
  readonly rank: number;
  readonly size: number;
  /** World ranks on this rank's host, in rising order. */
  readonly hostRanks: readonly number[];
  /** Seconds that a collective may take when its caller names no other deadline. */
  readonly timeout: number;
  /** A transport among `ranks` (world ranks, this one included), for the group called `name`. */
  connect(name: string, ranks: readonly number[]): Transport;
  /** Leaves the world; other ranks that still wait for this one fail. */
  release(): void;
}
