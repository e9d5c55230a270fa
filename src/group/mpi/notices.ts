/**
 * Short messages between any two ranks of a world, besides the rounds of groups: they tell how
 * members of a group meet, and that a rank takes no further part. They come in the order in which
 * they were sent. No call blocks.
 */

import type { Progress } from '../rounds/waiting.js';
import { check, type Mpi } from './library/library.js';
import { NativeMemory } from './library/memory.js';

const NOTICE_KINDS = [
  /** The sender is in the world. Numbers: they tell its host from other hosts. */
  'hello',
  /** It makes a group. Numbers: hash of the name, hash of name and ranks, ticket of memory. */
  'make',
  /** All members make the group. Number: 1 if the sender could open the memory, else 0. */
  'share',
  /** It takes no further part in the group. Numbers: its rounds, its exit code or {@link ALIVE}. */
  'leave',
  /** No collective of the group can run any more, and why. */
  'broken',
  /** It takes no further part in the world. Number: its exit code or {@link ALIVE}. */
  'gone',
  /** For whom does the receiver wait? */
  'ask',
  /** For these world ranks. */
  'answer',
] as const;

type NoticeKind = (typeof NOTICE_KINDS)[number];

/** Stands for the exit code of a rank that has not ended. */
export const ALIVE = -1;

export interface Notice {
  readonly kind: NoticeKind;
  /** World rank that has sent it. */
  readonly sender: number;
  /** The sender's number of the group that the notice is about; 0: it is about no group. */
  readonly group: number;
  readonly numbers: readonly number[];
  readonly text: string;
}

export type Telling = Pick<Notice, 'kind'> & Partial<Omit<Notice, 'kind' | 'sender'>>;

/** Bytes of the longest notice: libraries send this much at once, see `Abi.pieceBytes`. */
const NOTICE_BYTES = 4032;
/** Words before the numbers: kind, sender, group, count of numbers, bytes of text. */
const HEAD_WORDS = 5;
/** Most numbers; further numbers and longer texts are cut off. */
const MOST_NUMBERS = 256;
/** Tag of all notices; those of groups' rounds are above. */
const NOTICE_TAG = 16;
/** Bytes past a notice, for its request and a flag. */
const REQUEST_BYTES = 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Notices implements Progress {
  readonly #mpi: Mpi;
  readonly #comm: number;
  readonly #rank: number;
  readonly #take: (notice: Notice) => void;
  readonly #incoming: NativeMemory;
  #isReceiving = false;
  /** Notices that MPI may still read. */
  readonly #outgoing = new Set<NativeMemory>();

  /** @param take is called with every notice that comes */
  constructor(mpi: Mpi, comm: number, rank: number, take: (notice: Notice) => void) {
    this.#mpi = mpi;
    this.#comm = comm;
    this.#rank = rank;
    this.#take = take;
    this.#incoming = new NativeMemory(mpi.koffi, NOTICE_BYTES + REQUEST_BYTES);
  }

  /** True when all notices have left this process. */
  get isIdle(): boolean {
    return this.#outgoing.size === 0;
  }

  send(peers: readonly number[], { kind, group = 0, numbers = [], text = '' }: Telling): void {
    const { call, abi, koffi } = this.#mpi;
    const some = numbers.slice(0, MOST_NUMBERS);
    const textAt = 4 * (HEAD_WORDS + some.length);
    const bytes = encoder.encode(text).subarray(0, NOTICE_BYTES - textAt);
    const head = [NOTICE_KINDS.indexOf(kind), this.#rank, group, some.length, bytes.length];
    const length = textAt + bytes.length;
    for (const peer of peers) {
      const memory = new NativeMemory(koffi, NOTICE_BYTES + REQUEST_BYTES);
      memory.words.set([...head, ...some]);
      memory.bytes.set(bytes, textAt);
      const request = memory.address + NOTICE_BYTES;
      const options = [abi.byte, peer, NOTICE_TAG, this.#comm, request];
      check(this.#mpi, 'MPI_Isend', call.MPI_Isend(memory.address, length, ...options));
      this.#outgoing.add(memory);
    }
  }

  /** Takes all notices that have come. The calls also let MPI move on with everything under way. */
  advance(): void {
    while (this.#isReceiving || this.#startReceiving()) {
      if (!this.#isOver(this.#incoming)) break;
      this.#isReceiving = false;
      this.#take(this.#read());
    }
    for (const memory of this.#outgoing) {
      if (!this.#isOver(memory)) continue;
      this.#outgoing.delete(memory);
      memory.free();
    }
  }

  /** @returns true if there is something to receive */
  #startReceiving(): boolean {
    const { call, abi } = this.#mpi;
    const { address, words } = this.#incoming;
    const request = address + NOTICE_BYTES;
    call.MPI_Iprobe(abi.anySource, NOTICE_TAG, this.#comm, request + 8, abi.statusesIgnore);
    if (words[NOTICE_BYTES / 4 + 2] === 0) return false;
    const options = [abi.byte, abi.anySource, NOTICE_TAG, this.#comm, request];
    check(this.#mpi, 'MPI_Irecv', call.MPI_Irecv(address, NOTICE_BYTES, ...options));
    this.#isReceiving = true;
    return true;
  }

  #isOver({ address, words }: NativeMemory): boolean {
    const request = address + NOTICE_BYTES;
    const { call, abi } = this.#mpi;
    check(this.#mpi, 'MPI_Test', call.MPI_Test(request, request + 8, abi.statusesIgnore));
    return words[NOTICE_BYTES / 4 + 2] !== 0;
  }

  #read(): Notice {
    const { words, bytes } = this.#incoming;
    const [kind, sender, group, count, length] = words;
    const numbers = [...words.subarray(HEAD_WORDS, HEAD_WORDS + count)];
    const textAt = 4 * (HEAD_WORDS + count);
    const text = decoder.decode(bytes.slice(textAt, textAt + length));
    return { kind: NOTICE_KINDS[kind], sender, group, numbers, text };
  }
}
