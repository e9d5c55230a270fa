/**
 * The frames that the ranks of one group send one another: in a round, every rank sends one frame
 * to each other rank and receives one from each. A frame is a header and up to `capacity` bytes of
 * payload. It may travel in several pieces, of which the first holds the header: a rank knows from
 * it how many more there are, so that frames of ranks that disagree still arrive.
 */

import type { CollectiveArray } from '../transport.js';
import { Blocks } from './blocks.js';
import { createFrameMemory, type FrameMemory } from './frame-memory.js';
import { check, type Mpi } from './library.js';
import { ALIGNMENT, alignUp, NativeMemory } from './memory.js';
import { type Round, Rounds } from './rounds.js';

/** Bytes of a header: eight Int32. */
export const HEADER_BYTES = 32;
/** Word of a header: the pieces that its rank sends in this round. */
const PIECES = 7;

/** Polls of all pieces between looks at the first ones. */
const FIRST_STRIDE = 8;

/** Every member's payload as arrays of one kind. */
interface Views {
  readonly kind: unknown;
  readonly whole: Blocks;
  readonly parts: readonly CollectiveArray[];
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
  readonly #frames: FrameMemory;
  /** Frames of their own for each member, for rounds that send everyone something else. */
  readonly #parts: NativeMemory;
  /** Flag of MPI_Testall. */
  readonly #flag: NativeMemory;
  readonly #rounds: Rounds;
  readonly #views = new Map<unknown, Views>();
  #lastViews: Views | null = null;
  #round: Round | null = null;
  #pending = 0;
  #pendingCount = 0;
  /** Requests of the first pieces, at the same address, while they are enough; else 0. */
  #firstCount = 0;
  /** Whether all that is watched has arrived. */
  #complete = false;
  #polls = 0;

  constructor(mpi: Mpi, comm: number, member: number, members: number, capacity: number) {
    this.#mpi = mpi;
    this.comm = comm;
    this.member = member;
    this.members = members;
    this.capacity = capacity;
    const longest = HEADER_BYTES + capacity;
    this.#frameBytes = alignUp(longest);
    this.#frames = createFrameMemory(mpi.koffi, members * this.#frameBytes);
    this.words = this.#frames.words;
    this.#parts = new NativeMemory(mpi.koffi, members * this.#frameBytes);
    this.#flag = new NativeMemory(mpi.koffi, ALIGNMENT);
    this.#rounds = new Rounds(mpi, {
      ...{ comm, member, members, longest },
      frameAddress: (m) => this.#frames.address + m * this.#frameBytes,
      partAddress: (m) => this.#parts.address + m * this.#frameBytes,
    });
  }

  headerWord(member: number): number {
    return (member * this.#frameBytes) / 4;
  }

  /** Bytes of payload in a frame of one piece. */
  get pieceCapacity(): number {
    return Math.min(this.capacity, this.#mpi.abi.pieceBytes - HEADER_BYTES);
  }

  payloadBytes(member: number, length: number): Uint8Array {
    const at = member * this.#frameBytes + HEADER_BYTES;
    return this.#frames.bytes.subarray(at, at + length);
  }

  /** Every member's payload as arrays of the kind of `like`, `capacity` bytes each. */
  payloads(like: CollectiveArray): readonly CollectiveArray[] {
    return this.#viewsOf(like).whole.views;
  }

  /** The same, to be combined. */
  blocks(like: CollectiveArray): Blocks {
    return this.#viewsOf(like).whole;
  }

  /** The payloads of the frames that {@link sendParts} sends. */
  partPayloads(like: CollectiveArray): readonly CollectiveArray[] {
    return this.#viewsOf(like).parts;
  }

  /**
   * Sends this member's frame, with `bytes` of payload, to all; receives theirs. Until
   * {@link watchAll}, their first pieces are enough to have {@link arrived}: others may send fewer.
   * @param most bytes of the longest payload in this round, if this member's is shorter
   */
  sendToAll(bytes: number, most = bytes): void {
    this.#start(bytes, most, false);
  }

  /** The same with a frame of its own for each member, with `bytes` of payload each. */
  sendParts(bytes: number): void {
    this.#start(bytes, bytes, true);
  }

  /** Lets {@link arrived} wait for all pieces. @returns whether it has to */
  watchAll(): boolean {
    this.#firstCount = 0;
    return !this.#complete;
  }

  /**
   * Sends empty pieces until this member has sent as many as any. All do so when headers differ,
   * so that nothing is left half sent. @returns whether there is anything to wait for
   */
  level(): boolean {
    const own = (this.#round as Round).pieces;
    let most = own;
    for (let m = 0; m < this.members; m++) {
      most = Math.max(most, this.words[this.headerWord(m) + PIECES]);
    }
    if (most === own) return false;
    const requests = 2 * (this.members - 1);
    const { cells, count } = this.#rounds.round(HEADER_BYTES, most, false);
    const skipped = requests * own;
    this.watch(cells.address + skipped * this.#mpi.abi.handleBytes, count - skipped);
    this.#startWatched();
    return true;
  }

  /** Lets `count` requests at `address` be what {@link arrived} looks at. */
  watch(address: number, count: number): void {
    this.#pending = address;
    this.#pendingCount = count;
    this.#firstCount = 0;
    this.#complete = false;
  }

  /** Whether everything that is watched has arrived and left. */
  arrived(): boolean {
    this.#complete = this.#test(this.#pendingCount);
    if (this.#complete || this.#firstCount === 0) return this.#complete;
    // Where ranks agree, all pieces come at once; to look for the first alone is a call for nothing.
    return ++this.#polls % FIRST_STRIDE === 0 && this.#test(this.#firstCount);
  }

  #test(count: number): boolean {
    const code = this.#mpi.call.MPI_Testall(
      count,
      this.#pending,
      this.#flag.address,
      this.#mpi.abi.statusesIgnore,
    );
    if (code !== 0) check(this.#mpi, 'MPI_Testall', code);
    return this.#flag.words[0] !== 0;
  }

  /** Members whose frame has not come. Ends the use of these frames: it takes what has. */
  missing(): number[] {
    const { call, abi } = this.#mpi;
    const missing: number[] = [];
    let request = this.#pending;
    for (let peer = 0; peer < this.members; peer++) {
      if (peer === this.member) continue;
      call.MPI_Test(request, this.#flag.address, abi.statusesIgnore);
      if (this.#flag.words[0] === 0) missing.push(peer);
      request += abi.handleBytes;
    }
    return missing;
  }

  /** Frees the requests, unless they are under way, and the memory. */
  close(): void {
    this.#rounds.close();
    for (const memory of [this.#frames, this.#parts, this.#flag]) memory.free();
  }

  #start(bytes: number, most: number, ofParts: boolean): void {
    const pieces = this.#rounds.piecesOf(HEADER_BYTES + most);
    const own = this.headerWord(this.member);
    this.words[own + PIECES] = pieces;
    if (ofParts) this.#copyHeader(own);
    const round = this.#rounds.round(HEADER_BYTES + bytes, pieces, ofParts);
    this.#round = round;
    this.watch(round.cells.address, round.count);
    this.#startWatched();
    if (pieces > 1) this.#firstCount = 2 * (this.members - 1);
  }

  #copyHeader(own: number): void {
    const header = this.words.subarray(own, own + HEADER_BYTES / 4);
    for (let peer = 0; peer < this.members; peer++) {
      if (peer !== this.member) this.#parts.words.set(header, this.headerWord(peer));
    }
  }

  #startWatched(): void {
    const code = this.#mpi.call.MPI_Startall(this.#pendingCount, this.#pending);
    if (code !== 0) check(this.#mpi, 'MPI_Startall', code);
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
    const over = ({ bytes }: { bytes: Uint8Array<ArrayBuffer> }) =>
      Array.from({ length: this.members }, (_, m) => {
        const at = bytes.byteOffset + m * this.#frameBytes + HEADER_BYTES;
        return new kind(bytes.buffer, at, length);
      });
    const { address, reduce } = this.#frames;
    const whole = new Blocks(over(this.#frames), address + HEADER_BYTES, this.#frameBytes, reduce);
    return { kind, whole, parts: over(this.#parts) };
  }
}
