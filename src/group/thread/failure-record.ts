/** A place in shared memory for the one text that says why ranks must stop. First writer wins. */

const STATE = 0;
const RANK = 1;
const LENGTH = 2;
const TEXT = 3;
const TEXT_BYTES = 4096;

/** States of a record. */
const OPEN = 0;
const WRITING = 1;
const WRITTEN = 2;

/** Words that a record takes; a multiple of a cache line. */
export const RECORD_WORDS = Math.ceil((TEXT + TEXT_BYTES / 4) / 16) * 16;

export interface Failure {
  /** World rank that failed. */
  readonly rank: number;
  readonly text: string;
}

export class FailureRecord {
  readonly #words: Int32Array;
  readonly #at: number;

  /** The record whose first word is `at`; zeroed memory is an open record. */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** Writes the record unless it is written already; the caller rings the bells. */
  write(rank: number, text: string): void {
    const words = this.#words;
    if (Atomics.compareExchange(words, this.#at + STATE, OPEN, WRITING) !== OPEN) return;
    words[this.#at + RANK] = rank;
    words[this.#at + LENGTH] = writeText(words, this.#at + TEXT, TEXT_BYTES, text);
    Atomics.store(words, this.#at + STATE, WRITTEN);
  }

  /** The failure, or null while there is none. */
  read(): Failure | null {
    const words = this.#words;
    if (Atomics.load(words, this.#at + STATE) !== WRITTEN) return null;
    return {
      rank: words[this.#at + RANK],
      text: readText(words, this.#at + TEXT, words[this.#at + LENGTH]),
    };
  }

  /** Opens the record again; only while no other rank can see it. */
  clear(): void {
    Atomics.store(this.#words, this.#at + STATE, OPEN);
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Writes UTF-8 of at most `capacity` bytes from word `at` on; returns the bytes written. */
export function writeText(words: Int32Array, at: number, capacity: number, text: string): number {
  // TextEncoder.encodeInto refuses shared memory in browsers, hence the copy.
  const bytes = encoder.encode(text).subarray(0, capacity);
  new Uint8Array(words.buffer, words.byteOffset + at * 4, bytes.length).set(bytes);
  return bytes.length;
}

/** Reads `length` bytes of UTF-8 from word `at` on. */
export function readText(words: Int32Array, at: number, length: number): string {
  // TextDecoder refuses shared memory, too.
  return decoder.decode(new Uint8Array(words.buffer, words.byteOffset + at * 4, length).slice());
}
