/**
 * Frames as messages of MPI, between any ranks. A frame may travel in several pieces, of which the
 * first holds the header: a rank knows from it how many more there are, so that frames of ranks that
 * disagree still arrive.
 */

import { Blocks } from '../../rounds/contributions.js';
import { ByKind } from '../../rounds/kinds.js';
import { partBytes, partOf } from '../../rounds/parts.js';
import { type Frames, HEADER_BYTES, OWN_WORD as PIECES } from '../../rounds/rounds.js';
import type { CollectiveArray } from '../../transport.js';
import { createFrameMemory, type FrameMemory } from '../frame-memory.js';
import { check, type Mpi } from '../library/library.js';
import { alignUp, NativeMemory } from '../library/memory.js';
import { type Round, Rounds } from './persistent.js';
import { Requests } from './requests.js';

/** Polls of all pieces between looks at the first ones. */
const FIRST_STRIDE = 8;

/** Every member's payload as arrays of one kind. */
interface Views {
  readonly whole: Blocks;
  /** Payloads of the frames that each member alone is sent. */
  readonly parts: readonly CollectiveArray[];
}

export class MessageFrames implements Frames {
  readonly members: number;
  readonly member: number;
  readonly capacity: number;
  readonly noteCapacity: number;
  readonly words: Int32Array;
  readonly ownHeaderWord: number;
  readonly #mpi: Mpi;
  readonly #frameBytes: number;
  /** Frame m holds what member m sent; this member's own is what it sends to all. */
  readonly #frames: FrameMemory;
  /** Frames of their own for each member, for rounds that send everyone something else. */
  readonly #parts: NativeMemory;
  readonly #requests: Requests;
  readonly #rounds: Rounds;
  readonly #views: ByKind<Views>;
  #round: Round | null = null;
  /** Requests of the first pieces, at the same address, while they are enough; else 0. */
  #firstCount = 0;
  /** Whether all that is watched has arrived. */
  #complete = false;
  #polls = 0;

  constructor(mpi: Mpi, comm: number, member: number, members: number, capacity: number) {
    this.#mpi = mpi;
    this.member = member;
    this.members = members;
    this.capacity = capacity;
    this.noteCapacity = Math.min(capacity, mpi.abi.pieceBytes - HEADER_BYTES);
    const longest = HEADER_BYTES + capacity;
    this.#frameBytes = alignUp(longest);
    this.#frames = createFrameMemory(mpi.koffi, members * this.#frameBytes);
    this.words = this.#frames.words;
    this.ownHeaderWord = this.headerWord(member);
    this.#parts = new NativeMemory(mpi.koffi, members * this.#frameBytes);
    this.#requests = new Requests(mpi);
    this.#rounds = new Rounds(mpi, {
      ...{ comm, member, members, longest },
      frameAddress: (m) => this.#frames.address + m * this.#frameBytes,
      partAddress: (m) => this.#parts.address + m * this.#frameBytes,
    });
    this.#views = new ByKind((kind, elementBytes) => {
      const length = Math.floor(capacity / elementBytes);
      const over = ({ bytes }: { bytes: Uint8Array<ArrayBuffer> }) =>
        Array.from({ length: members }, (_, m) => {
          const at = bytes.byteOffset + m * this.#frameBytes + HEADER_BYTES;
          return new kind(bytes.buffer, at, length);
        });
      const { address, reduce } = this.#frames;
      const views = over(this.#frames);
      const first = address + HEADER_BYTES;
      return {
        // The first block may be spoilt: what it held is this rank's alone by then.
        whole: new Blocks(views, first, this.#frameBytes, reduce, views[0]),
        parts: over(this.#parts),
      };
    });
  }

  get partsCapacity(): number {
    return this.capacity * this.members;
  }

  headerWord(member: number): number {
    return (member * this.#frameBytes) / 4;
  }

  payloadBytes(member: number, length: number): Uint8Array {
    const at = member * this.#frameBytes + HEADER_BYTES;
    return this.#frames.bytes.subarray(at, at + length);
  }

  payloads(like: CollectiveArray): readonly CollectiveArray[] {
    return this.#views.of(like).whole.views;
  }

  blocks(like: CollectiveArray): Blocks {
    return this.#views.of(like).whole;
  }

  partBlocks(input: CollectiveArray): Blocks {
    return this.blocks(input);
  }

  ownBytes(length: number): Uint8Array {
    return this.payloadBytes(this.member, length);
  }

  ownPayload(like: CollectiveArray): CollectiveArray {
    return this.payloads(like)[this.member];
  }

  sendToAll(bytes: number, most = bytes): void {
    this.#start(bytes, most, false);
  }

  sendParts(input: CollectiveArray): void {
    const { members, member } = this;
    const { parts } = this.#views.of(input);
    for (let m = 0; m < members; m++) {
      const { from, to } = partOf(input.length, members, m);
      const target = m === member ? this.ownPayload(input) : parts[m];
      target.set(input.subarray(from, to));
    }
    // A shorter part's frame has the length of the others', so that all have as many pieces.
    const bytes = partBytes(input, members);
    this.#start(bytes, bytes, true);
  }

  watchAll(): boolean {
    this.#firstCount = 0;
    return !this.#complete;
  }

  /** Sends empty pieces until this member has sent as many as any. */
  level(): boolean {
    const own = (this.#round as Round).pieces;
    let most = own;
    for (let m = 0; m < this.members; m++) {
      most = Math.max(most, this.words[this.headerWord(m) + PIECES]);
    }
    if (most === own) return false;
    const { cells, count } = this.#rounds.round(HEADER_BYTES, most, false);
    const skipped = 2 * (this.members - 1) * own;
    this.#startRequests(cells.address + skipped * this.#mpi.abi.handleBytes, count - skipped);
    return true;
  }

  arrived(): boolean {
    this.#complete = this.#requests.arrived();
    if (this.#complete || this.#firstCount === 0) return this.#complete;
    // Where ranks agree, all pieces come at once; to look for the first alone is a call for nothing.
    return ++this.#polls % FIRST_STRIDE === 0 && this.#requests.firstArrived(this.#firstCount);
  }

  missing(): number[] {
    const missing: number[] = [];
    let index = 0;
    for (let peer = 0; peer < this.members; peer++) {
      if (peer !== this.member && !this.#requests.take(index++)) missing.push(peer);
    }
    return missing;
  }

  /** Frees the requests and the memory. */
  close(): void {
    this.#rounds.close();
    for (const memory of [this.#frames, this.#parts]) memory.free();
    this.#requests.close();
  }

  #start(bytes: number, most: number, ofParts: boolean): void {
    const pieces = this.#rounds.piecesOf(HEADER_BYTES + most);
    this.words[this.ownHeaderWord + PIECES] = pieces;
    if (ofParts) this.#copyHeader();
    const round = this.#rounds.round(HEADER_BYTES + bytes, pieces, ofParts);
    this.#round = round;
    this.#startRequests(round.cells.address, round.count);
    if (pieces > 1) this.#firstCount = 2 * (this.members - 1);
  }

  #copyHeader(): void {
    const own = this.ownHeaderWord;
    const header = this.words.subarray(own, own + HEADER_BYTES / 4);
    for (let peer = 0; peer < this.members; peer++) {
      if (peer !== this.member) this.#parts.words.set(header, this.headerWord(peer));
    }
  }

  #startRequests(address: number, count: number): void {
    this.#requests.watch(address, count);
    this.#firstCount = 0;
    this.#complete = false;
    const code = this.#mpi.call.MPI_Startall(count, address);
    if (code !== 0) check(this.#mpi, 'MPI_Startall', code);
  }
}
