/**
 * Rounds as messages of MPI, between any ranks. A frame may travel in several pieces. The first
 * piece holds the header, which says how many there are. A member that has sent fewer pieces than
 * another sends empty ones, so that frames of members that disagree arrive as well.
 */

import { bufferOf } from '../../../core/typed-arrays.js';
import { copy } from '../../rounds/contributions.js';
import { Frames, CARRIER_WORD as PIECES } from '../../rounds/frames.js';
import { partLength, partOf } from '../../rounds/parts.js';
import type { PartRounds, Rounds } from '../../rounds/rounds.js';
import { HEADER_BYTES } from '../../rounds/sizes.js';
import type { CopiedArray } from '../../transport.js';
import { createFrameMemory, type NativeFrameMemory } from '../frame-memory.js';
import { check, type Mpi } from '../library/library.js';
import { alignUp, NativeMemory } from '../library/memory.js';
import { combineInPieces, gatherParts } from './in-parts.js';
import { PersistentRequests, type Route } from './persistent.js';
import { Requests } from './requests.js';

export class MessageRounds implements Rounds {
  readonly frames: Frames;
  readonly parts: PartRounds;
  readonly fate = null;
  readonly #mpi: Mpi;
  readonly #stride: number;
  /** Frame m holds what member m sent; this member's own is what it sends to all. */
  readonly #memory: NativeFrameMemory;
  /** Frames for one member each, for rounds that send every member other data. */
  readonly #parts: NativeMemory;
  readonly #peers: readonly number[];
  readonly #persistent: PersistentRequests;
  readonly #requests: Requests;
  readonly #onClose: (isIdle: boolean) => void;
  /** Pieces that this member has sent in the round. */
  #pieces = 0;

  /** @param onClose is told if MPI has nothing more to do for the group */
  constructor(mpi: Mpi, route: Route, capacity: number, onClose: (isIdle: boolean) => void) {
    const { member, members } = route;
    const longest = HEADER_BYTES + capacity;
    this.#onClose = onClose;
    this.#mpi = mpi;
    this.#stride = alignUp(longest);
    this.#memory = createFrameMemory(mpi.koffi, members * this.#stride);
    this.#parts = new NativeMemory(mpi.koffi, members * this.#stride);
    const stride = this.#stride;
    this.frames = new Frames(this.#memory, { member, members, capacity, slots: 1, stride });
    this.parts = {
      capacity: capacity * members,
      send: (input) => this.#sendParts(input),
      finish: (exchange) => gatherParts(exchange, { from: 0, to: exchange.count }),
      combine: combineInPieces,
    };
    this.#peers = Array.from({ length: members }, (_, m) => m).filter((m) => m !== member);
    this.#requests = new Requests(mpi);
    this.#persistent = new PersistentRequests(mpi, {
      ...{ ...route, longest },
      frameAddress: (m) => this.#memory.address + m * this.#stride,
      partAddress: (m) => this.#parts.address + m * this.#stride,
    });
  }

  send(bytes: number, most: number): void {
    this.#start(bytes, most, false);
  }

  arrived(): boolean {
    return this.#requests.arrived() && !this.#sendMissingPieces();
  }

  missing(): number[] {
    return this.#requests.missing();
  }

  /** Frees the requests and the memory; memory that MPI may still read or write is never freed. */
  close(): void {
    const isIdle = this.#requests.arrived();
    if (isIdle) {
      this.#persistent.close();
      for (const memory of [this.#memory, this.#parts]) memory.free();
      this.#requests.close();
    }
    this.#onClose(isIdle);
  }

  #sendParts(input: CopiedArray): void {
    const { members, member } = this.frames;
    const size = input.BYTES_PER_ELEMENT;
    for (let m = 0; m < members; m++) {
      const { from, to } = partOf(input.length, members, m);
      const part = input.subarray(from, to);
      if (m === member) copy(this.frames.ownArray(input, part.length), 0, part);
      else this.#partFrame(m).set(new Uint8Array(bufferOf(part), part.byteOffset, part.byteLength));
    }
    // A shorter part's frame is as long as the longest, so that all have as many pieces.
    const bytes = partLength(input.length, members) * size;
    this.#start(bytes, bytes, true);
  }

  /** The payload that is sent to `member` alone. */
  #partFrame(member: number): Uint8Array {
    const at = member * this.#stride + HEADER_BYTES;
    return this.#parts.bytes.subarray(at, (member + 1) * this.#stride);
  }

  #start(bytes: number, most: number, ofParts: boolean): void {
    const pieces = this.#persistent.piecesOf(HEADER_BYTES + most);
    this.#pieces = pieces;
    this.frames.words[this.frames.ownHeaderWord + PIECES] = pieces;
    if (ofParts) this.#copyHeader();
    const { cells, count } = this.#persistent.round(HEADER_BYTES + bytes, pieces, ofParts);
    this.#startRequests(cells.address, count);
    this.frames.turn();
  }

  #copyHeader(): void {
    const { words, ownHeaderWord } = this.frames;
    const header = words.subarray(ownHeaderWord, ownHeaderWord + HEADER_BYTES / 4);
    for (const peer of this.#peers) this.#parts.words.set(header, (peer * this.#stride) / 4);
  }

  /** Sends empty pieces until this member has sent as many as any. @returns true if it sent some */
  #sendMissingPieces(): boolean {
    const { words } = this.frames;
    let most = this.#pieces;
    for (const peer of this.#peers) {
      most = Math.max(most, words[this.frames.headerWord(peer) + PIECES]);
    }
    if (most === this.#pieces) return false;
    const { cells, count } = this.#persistent.round(HEADER_BYTES, most, false);
    const skipped = 2 * this.#peers.length * this.#pieces;
    this.#pieces = most;
    this.#startRequests(cells.address + skipped * this.#mpi.abi.handleBytes, count - skipped);
    return true;
  }

  #startRequests(address: number, count: number): void {
    this.#requests.watch(address, count, this.#peers);
    const code = this.#mpi.call.MPI_Startall(count, address);
    if (code !== 0) check(this.#mpi, 'MPI_Startall', code);
  }
}
