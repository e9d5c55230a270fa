/**
 * The frames that the ranks of one group send one another: in a round, every rank sends one frame
 * to each other rank and receives one from each. A frame is a header and up to `capacity` bytes of
 * payload; a receiver has room for the longest, so that frames of ranks that disagree still arrive.
 *
 * Requests are persistent and kept by frame length: a round costs two calls of MPI, one that starts
 * it and one that finds it done.
 */

import type { CollectiveArray } from '../transport.js';
import { check, handleAt, type Mpi, putHandle } from './library.js';
import { ALIGNMENT, alignUp, NativeMemory } from './memory.js';

/** Bytes of a header: eight Int32. */
export const HEADER_BYTES = 32;
/** Sets of persistent requests that are kept; a program uses a few frame lengths. */
const MAX_PLANS = 64;
const FRAME_TAG = 0;

/** Requests of one kind of round, one behind the other: receives, then sends. */
interface Plan {
  readonly key: number;
  readonly cells: NativeMemory;
}

/** The same for all, or by member. */
type PayloadBytes = number | ((member: number) => number);

/** Every member's payload as arrays of one kind. */
interface Views {
  readonly kind: unknown;
  readonly whole: CollectiveArray[];
  readonly parts: CollectiveArray[];
}

type Constructor = new (buffer: ArrayBuffer, offset: number, length: number) => CollectiveArray;

export class Frames {
  readonly members: number;
  readonly member: number;
  /** Bytes of payload that a frame can hold. */
  readonly capacity: number;
  readonly comm: number;
  /** The words of all frames; member m's header starts at `headerWord(m)`. */
  readonly words: Int32Array;
  readonly #mpi: Mpi;
  readonly #frameBytes: number;
  /** Frame m holds what member m sent; this member's own is what it sends to all. */
  readonly #frames: NativeMemory;
  /** Frames of their own for each member, for rounds that send everyone something else. */
  readonly #parts: NativeMemory;
  /** Flag of MPI_Testall, then the handles of the receives. */
  readonly #cells: NativeMemory;
  readonly #plans = new Map<number, Plan>();
  readonly #views = new Map<unknown, Views>();
  #lastViews: Views | null = null;
  #last: Plan | null = null;
  #pending = 0;
  #pendingCount = 0;

  constructor(mpi: Mpi, comm: number, member: number, members: number, capacity: number) {
    this.#mpi = mpi;
    this.comm = comm;
    this.member = member;
    this.members = members;
    this.capacity = capacity;
    this.#frameBytes = alignUp(HEADER_BYTES + capacity);
    this.#frames = new NativeMemory(mpi.koffi, members * this.#frameBytes);
    this.words = this.#frames.words;
    this.#parts = new NativeMemory(mpi.koffi, members * this.#frameBytes);
    this.#cells = new NativeMemory(mpi.koffi, ALIGNMENT + 8 * members);
    this.#peers((peer, index) => {
      const buffer = this.#frames.address + peer * this.#frameBytes;
      const request = this.#cells.address + ALIGNMENT + index * mpi.abi.handleBytes;
      const { MPI_Recv_init } = mpi.call;
      const size = HEADER_BYTES + capacity;
      check(
        mpi,
        'MPI_Recv_init',
        MPI_Recv_init(buffer, size, mpi.abi.byte, peer, FRAME_TAG, comm, request),
      );
    });
  }

  headerWord(member: number): number {
    return (member * this.#frameBytes) / 4;
  }

  /** Address of a member's payload. */
  payloadAddress(member: number): number {
    return this.#frames.address + member * this.#frameBytes + HEADER_BYTES;
  }

  payloadBytes(member: number, length: number): Uint8Array {
    const at = member * this.#frameBytes + HEADER_BYTES;
    return this.#frames.bytes.subarray(at, at + length);
  }

  /** Every member's payload as arrays of the kind of `like`, `capacity` bytes each. */
  payloads(like: CollectiveArray): CollectiveArray[] {
    return this.#viewsOf(like).whole;
  }

  /** The payloads of the frames that {@link sendParts} sends. */
  partPayloads(like: CollectiveArray): CollectiveArray[] {
    return this.#viewsOf(like).parts;
  }

  /** Sends this member's frame, with `bytes` of payload, to all; receives theirs. */
  sendToAll(bytes: number): void {
    this.#start(2 * bytes, bytes);
  }

  /** Sends member m its own frame with `bytes(m)` of payload; `key` stands for these lengths. */
  sendParts(key: number, bytes: (member: number) => number): void {
    const own = this.headerWord(this.member);
    const header = this.words.subarray(own, own + HEADER_BYTES / 4);
    this.#peers((peer) => {
      this.#parts.words.set(header, this.headerWord(peer));
    });
    this.#start(2 * key + 1, bytes);
  }

  /** Lets `count` requests at `address` be what {@link arrived} looks at. */
  watch(address: number, count: number): void {
    this.#pending = address;
    this.#pendingCount = count;
  }

  /** Whether everything under way has arrived and left. */
  arrived(): boolean {
    const cells = this.#cells;
    const code = this.#mpi.call.MPI_Testall(
      this.#pendingCount,
      this.#pending,
      cells.address,
      this.#mpi.abi.statusesIgnore,
    );
    if (code !== 0) check(this.#mpi, 'MPI_Testall', code);
    return cells.words[0] !== 0;
  }

  /** Members whose frame has not come. Ends the use of these frames: it takes what has. */
  missing(): number[] {
    const { call, abi } = this.#mpi;
    const missing: number[] = [];
    this.#peers((peer, index) => {
      const request = this.#pending + index * abi.handleBytes;
      call.MPI_Test(request, this.#cells.address, abi.statusesIgnore);
      if (this.#cells.words[0] === 0) missing.push(peer);
    });
    return missing;
  }

  /** Frees the requests, unless they are under way, and the memory. */
  close(): void {
    for (const plan of this.#plans.values()) this.#drop(plan);
    for (let i = 0; i < this.members - 1; i++) {
      this.#mpi.call.MPI_Request_free(
        this.#cells.address + ALIGNMENT + i * this.#mpi.abi.handleBytes,
      );
    }
    for (const memory of [this.#frames, this.#parts, this.#cells]) memory.free();
  }

  #start(key: number, bytes: PayloadBytes): void {
    let plan = this.#last;
    if (plan === null || plan.key !== key) plan = this.#planFor(key, bytes);
    this.#pending = plan.cells.address;
    this.#pendingCount = 2 * (this.members - 1);
    const code = this.#mpi.call.MPI_Startall(this.#pendingCount, this.#pending);
    if (code !== 0) check(this.#mpi, 'MPI_Startall', code);
  }

  #planFor(key: number, bytes: PayloadBytes): Plan {
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      plan = this.#makePlan(key, bytes);
      if (this.#plans.size >= MAX_PLANS) this.#dropOldest();
      this.#plans.set(key, plan);
    }
    this.#last = plan;
    return plan;
  }

  #makePlan(key: number, bytes: PayloadBytes): Plan {
    const { koffi, abi, call } = this.#mpi;
    const { comm, members } = this;
    const cells = new NativeMemory(koffi, 2 * members * abi.handleBytes);
    const from = key % 2 === 0 ? null : this.#parts;
    this.#peers((peer, index) => {
      const receive = handleAt(this.#mpi, this.#cells, ALIGNMENT + index * abi.handleBytes);
      putHandle(this.#mpi, cells, index * abi.handleBytes, receive);
      const buffer =
        from === null
          ? this.#frames.address + this.member * this.#frameBytes
          : from.address + peer * this.#frameBytes;
      const request = cells.address + (members - 1 + index) * abi.handleBytes;
      const size = HEADER_BYTES + (typeof bytes === 'number' ? bytes : bytes(peer));
      check(
        this.#mpi,
        'MPI_Send_init',
        call.MPI_Send_init(buffer, size, abi.byte, peer, FRAME_TAG, comm, request),
      );
    });
    return { key, cells };
  }

  #dropOldest(): void {
    const [key, plan] = this.#plans.entries().next().value as [number, Plan];
    this.#plans.delete(key);
    this.#drop(plan);
  }

  #drop({ cells }: Plan): void {
    const { abi, call } = this.#mpi;
    for (let i = this.members - 1; i < 2 * (this.members - 1); i++) {
      call.MPI_Request_free(cells.address + i * abi.handleBytes);
    }
    cells.free();
  }

  #viewsOf(like: CollectiveArray): Views {
    const last = this.#lastViews;
    if (last !== null && last.kind === like.constructor) return last;
    const kind = like.constructor as Constructor;
    let views = this.#views.get(kind);
    if (views === undefined) {
      views = this.#makeViews(kind, Math.floor(this.capacity / like.BYTES_PER_ELEMENT));
      this.#views.set(kind, views);
    }
    this.#lastViews = views;
    return views;
  }

  #makeViews(kind: Constructor, length: number): Views {
    const over = ({ bytes }: NativeMemory) =>
      Array.from({ length: this.members }, (_, m) => {
        const at = bytes.byteOffset + m * this.#frameBytes + HEADER_BYTES;
        return new kind(bytes.buffer, at, length);
      });
    return { kind, whole: over(this.#frames), parts: over(this.#parts) };
  }

  #peers(visit: (peer: number, index: number) => void): void {
    let index = 0;
    for (let peer = 0; peer < this.members; peer++) {
      if (peer !== this.member) visit(peer, index++);
    }
  }
}
