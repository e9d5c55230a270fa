/**
 * Frames in memory that all members share. A member writes its frame into its slot and then the
 * number of the round into the header; the others look for that number. No call of MPI is made.
 *
 * Each member has two slots, for odd and even rounds. That is enough: a member gives its frame of
 * round k + 1 only after it has read those of round k, so who has seen all frames of round k + 1
 * may overwrite its own of round k.
 */

import type { FrameMemory } from '../mpi/frame-memory.js';
import { alignUp } from '../mpi/library/memory.js';
import type { CollectiveArray } from '../transport.js';
import { Blocks } from './contributions.js';
import { ByKind, type Constructor } from './kinds.js';
import { partOf } from './parts.js';
import { type Frames, HEADER_BYTES, OWN_WORD as ROUND } from './rounds.js';

/** Slots as arrays of one kind, by the last bit of the round. */
interface Views {
  readonly even: Blocks;
  readonly odd: Blocks;
}

/** Bytes of one slot. */
function slotBytes(capacity: number): number {
  // WebAssembly writes a whole vector where a part of one is wanted.
  return alignUp(HEADER_BYTES + capacity + 16);
}

/** Bytes of the slots of all members. */
export function windowBytes(members: number, capacity: number): number {
  return 2 * members * slotBytes(capacity);
}

export class WindowFrames implements Frames {
  readonly members: number;
  readonly member: number;
  readonly capacity: number;
  readonly words: Int32Array;
  readonly #memory: FrameMemory;
  readonly #slotWords: number;
  readonly #views: ByKind<Views>;
  #round = 0;
  /** Members whose frame of this round has been seen, in rank order. */
  #seen: number;

  /** @param memory of {@link windowBytes}, no header of which has the number of a round yet */
  constructor(memory: FrameMemory, member: number, members: number, capacity: number) {
    this.member = member;
    this.members = members;
    this.capacity = capacity;
    this.words = memory.words;
    this.#memory = memory;
    this.#slotWords = slotBytes(capacity) / 4;
    this.#seen = members;
    this.#views = new ByKind((kind, elementBytes) => this.#makeViews(kind, elementBytes));
  }

  get noteCapacity(): number {
    return this.capacity;
  }

  get partsCapacity(): number {
    return this.capacity;
  }

  headerWord(member: number): number {
    return this.#slotWord(member, this.#round);
  }

  payloadBytes(member: number, length: number): Uint8Array {
    return this.#bytesAt(this.headerWord(member), length);
  }

  payloads(like: CollectiveArray): readonly CollectiveArray[] {
    return this.blocks(like).views;
  }

  blocks(like: CollectiveArray): Blocks {
    const { even, odd } = this.#views.of(like);
    return (this.#round & 1) === 0 ? even : odd;
  }

  partBlocks(input: CollectiveArray): Blocks {
    const { from } = partOf(input.length, this.members, this.member);
    return this.blocks(input).from(from);
  }

  get ownHeaderWord(): number {
    return this.#slotWord(this.member, this.#round + 1);
  }

  ownBytes(length: number): Uint8Array {
    return this.#bytesAt(this.ownHeaderWord, length);
  }

  ownPayload(like: CollectiveArray): CollectiveArray {
    const { even, odd } = this.#views.of(like);
    return ((this.#round & 1) === 0 ? odd : even).views[this.member];
  }

  /** Others read no more of it than the headers say. */
  sendToAll(): void {
    const own = this.ownHeaderWord;
    this.#round = (this.#round + 1) | 0;
    this.#seen = 0;
    Atomics.store(this.words, own + ROUND, this.#round);
  }

  /** Gives all of `input` to all: each reads its own part alone. */
  sendParts(input: CollectiveArray): void {
    this.ownPayload(input).set(input);
    this.sendToAll();
  }

  /** A frame's number is written last. */
  watchAll(): boolean {
    return false;
  }

  level(): boolean {
    return false;
  }

  arrived(): boolean {
    while (this.#seen < this.members) {
      if (!this.#hasCome(this.#seen)) return false;
      this.#seen++;
    }
    return true;
  }

  missing(): number[] {
    const all = Array.from({ length: this.members }, (_, m) => m);
    return all.filter((m) => !this.#hasCome(m));
  }

  /** The others keep their view of the memory. */
  close(): void {
    this.#memory.free();
  }

  #hasCome(member: number): boolean {
    return Atomics.load(this.words, this.headerWord(member) + ROUND) === this.#round;
  }

  #slotWord(member: number, round: number): number {
    return ((round & 1) * this.members + member) * this.#slotWords;
  }

  #bytesAt(headerWord: number, length: number): Uint8Array {
    const at = 4 * headerWord + HEADER_BYTES;
    return this.#memory.bytes.subarray(at, at + length);
  }

  #makeViews(kind: Constructor, elementBytes: number): Views {
    const length = Math.floor(this.capacity / elementBytes);
    const { address, bytes, reduce } = this.#memory;
    const at = (member: number, round: number) => 4 * this.#slotWord(member, round) + HEADER_BYTES;
    const [even, odd] = [0, 1].map((round) =>
      Array.from({ length: this.members }, (_, m) => new kind(bytes.buffer, at(m, round), length)),
    );
    const stride = 4 * this.#slotWords;
    // Once a round has arrived, nobody reads what this member gave in the one before.
    const blocks = (views: CollectiveArray[], round: number, room: CollectiveArray) =>
      new Blocks(views, address + at(0, round), stride, reduce, room);
    return {
      even: blocks(even, 0, odd[this.member]),
      odd: blocks(odd, 1, even[this.member]),
    };
  }
}
