/**
 * The messages of a group's rounds, as persistent requests of MPI, kept by length: a round costs
 * one call that starts all of them and one that finds them done.
 *
 * A frame travels in pieces of the length that the library sends fastest: a longer message waits
 * until the receiver asks for it (MPICH over UCX: 17 µs for 32 KiB as one message or two rounds of
 * halves, 8 in four pieces). Every rank sends as many pieces as it receives; if a frame is shorter
 * than another's, its last pieces are empty.
 */

import { check, handleAt, type Mpi, putHandle } from '../library/library.js';
import { NativeMemory } from '../library/memory.js';

/** Sets of requests that are kept; a program uses a few frame lengths. */
const MAX_ROUNDS = 64;
/** Tags of a group: enough for the pieces of its longest frame. */
const TAGS = 32;

/** Tag of the first piece of all frames for a rank that has given the group this number. */
export function tagOf(number: number): number {
  return TAGS * number;
}

/** The route of a group's messages. */
export interface Route {
  /** Communicator of all ranks. */
  readonly comm: number;
  /** World ranks of the members. */
  readonly ranks: readonly number[];
  readonly member: number;
  readonly members: number;
  /** Tag of the first piece that each member is sent, and of those that this one receives. */
  readonly sendTags: readonly number[];
  readonly receiveTag: number;
}

/** The route, and where the frames lie. */
export interface Channel extends Route {
  /** Bytes of the longest frame. */
  readonly longest: number;
  /** Address where `member`'s frames arrive; the own frame is sent to all. */
  frameAddress(member: number): number;
  /** Address of the frame that is sent to `member` alone. */
  partAddress(member: number): number;
}

/** Requests of one kind of round: piece by piece, the receives and then the sends. */
export interface RequestSet {
  readonly key: number;
  readonly cells: NativeMemory;
  readonly pieces: number;
  /** Requests of all pieces. */
  readonly count: number;
}

export class PersistentRequests {
  readonly #mpi: Mpi;
  readonly #channel: Channel;
  /** Handles of the receives by piece and peer; all rounds of a group share them. */
  readonly #receives: NativeMemory[] = [];
  readonly #rounds = new Map<number, RequestSet>();
  #last: RequestSet | null = null;

  constructor(mpi: Mpi, channel: Channel) {
    this.#mpi = mpi;
    this.#channel = channel;
  }

  /** Pieces of a frame of `bytes`. */
  piecesOf(bytes: number): number {
    return Math.ceil(bytes / this.#mpi.abi.pieceBytes);
  }

  /** Finds the round that sends each peer `bytes` of a frame: the common one, or its own part. */
  round(bytes: number, pieces: number, ofParts: boolean): RequestSet {
    const key = (bytes * 1024 + pieces) * 2 + (ofParts ? 1 : 0);
    if (this.#last !== null && this.#last.key === key) return this.#last;
    let round = this.#rounds.get(key);
    if (round === undefined) {
      round = this.#make(key, bytes, pieces, ofParts);
      if (this.#rounds.size >= MAX_ROUNDS) this.#dropOldest();
      this.#rounds.set(key, round);
    }
    this.#last = round;
    return round;
  }

  /** Frees all requests; none may be under way. */
  close(): void {
    for (const round of this.#rounds.values()) this.#drop(round);
    for (const cells of this.#receives) {
      this.#peers((_, index) => this.#free(cells.address + index * this.#handle));
      cells.free();
    }
  }

  get #handle(): number {
    return this.#mpi.abi.handleBytes;
  }

  #make(key: number, bytes: number, pieces: number, ofParts: boolean): RequestSet {
    const { pieceBytes } = this.#mpi.abi;
    const peers = this.#channel.members - 1;
    const count = 2 * peers * pieces;
    const cells = new NativeMemory(this.#mpi.koffi, count * this.#handle);
    for (let piece = 0; piece < pieces; piece++) {
      const receives = this.#receivesOf(piece);
      const at = piece * pieceBytes;
      const size = Math.max(0, Math.min(bytes - at, pieceBytes));
      this.#peers((peer, index) => {
        const offset = (2 * peers * piece + index) * this.#handle;
        putHandle(this.#mpi, cells, offset, handleAt(this.#mpi, receives, index * this.#handle));
        const request = cells.address + offset + peers * this.#handle;
        this.#initialize(
          'MPI_Send_init',
          this.#source(peer, ofParts) + at,
          size,
          peer,
          piece,
          request,
        );
      });
    }
    return { key, cells, pieces, count };
  }

  #source(peer: number, ofParts: boolean): number {
    const channel = this.#channel;
    return ofParts ? channel.partAddress(peer) : channel.frameAddress(channel.member);
  }

  /** Receives of one piece, with room for the longest. */
  #receivesOf(piece: number): NativeMemory {
    const { pieceBytes } = this.#mpi.abi;
    const { longest, members } = this.#channel;
    for (let next = this.#receives.length; next <= piece; next++) {
      const cells = new NativeMemory(this.#mpi.koffi, members * this.#handle);
      const at = next * pieceBytes;
      this.#peers((peer, index) => {
        const address = this.#channel.frameAddress(peer) + at;
        const size = Math.min(longest - at, pieceBytes);
        const request = cells.address + index * this.#handle;
        this.#initialize('MPI_Recv_init', address, size, peer, next, request);
      });
      this.#receives.push(cells);
    }
    return this.#receives[piece];
  }

  #initialize(
    name: 'MPI_Send_init' | 'MPI_Recv_init',
    address: number,
    bytes: number,
    peer: number,
    piece: number,
    request: number,
  ): void {
    const { call, abi } = this.#mpi;
    const { comm, ranks, sendTags, receiveTag } = this.#channel;
    // Startall may start in any order, so pieces are told apart by their tags.
    const tag = (name === 'MPI_Send_init' ? sendTags[peer] : receiveTag) + piece;
    check(this.#mpi, name, call[name](address, bytes, abi.byte, ranks[peer], tag, comm, request));
  }

  #dropOldest(): void {
    const [key, round] = this.#rounds.entries().next().value as [number, RequestSet];
    this.#rounds.delete(key);
    this.#drop(round);
  }

  /** Frees the sends of a round; the receives are shared by all rounds. */
  #drop({ cells, pieces }: RequestSet): void {
    const peers = this.#channel.members - 1;
    for (let piece = 0; piece < pieces; piece++) {
      for (let index = 0; index < peers; index++) {
        this.#free(cells.address + (2 * peers * piece + peers + index) * this.#handle);
      }
    }
    cells.free();
  }

  #free(request: number): void {
    this.#mpi.call.MPI_Request_free(request);
  }

  #peers(visit: (peer: number, index: number) => void): void {
    let index = 0;
    for (let peer = 0; peer < this.#channel.members; peer++) {
      if (peer !== this.#channel.member) visit(peer, index++);
    }
  }
}
