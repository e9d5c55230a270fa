/**
 * Writes to this process's output without blocking it. A launcher that waited for a pager or a
 * stopped terminal would miss the other hosts' signs of life, and they would miss its own.
 */

import { write } from 'node:fs';

/** Bytes that may wait before the writer should be held back. */
const HIGH_WATER = 1 << 20;
/** Milliseconds between tries while a pipe is full. */
const RETRY_MS = 5;

export class ConsoleWriter {
  readonly #fd: number;
  #queue: Uint8Array[] = [];
  #bytes = 0;
  /** Settles when the queue is empty; null: it is. */
  #draining: Promise<void> | null = null;
  #open = true;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @returns a promise when too much waits; it resolves when all bytes are written */
  write(bytes: Uint8Array): Promise<void> | undefined {
    // A console whose reader is gone is no reason to fail: the ranks go on without it.
    if (!this.#open) return undefined;
    this.#queue.push(bytes);
    this.#bytes += bytes.length;
    this.#draining ??= this.#drain();
    return this.#bytes > HIGH_WATER ? this.#draining : undefined;
  }

  /** True when all bytes are written. */
  get idle(): boolean {
    return this.#draining === null;
  }

  /** Resolves when all bytes are written, or nobody reads them. */
  async drained(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && this.#open) {
      const all = Buffer.concat(this.#queue);
      this.#queue = [];
      const written = await this.#writeSome(all);
      this.#bytes -= written;
      if (written < all.length) this.#queue.unshift(all.subarray(written));
    }
    this.#draining = null;
  }

  #writeSome(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve) => {
      write(this.#fd, bytes, (error, written) => {
        if (error === null) resolve(written);
        else if (error.code === 'EAGAIN') setTimeout(() => resolve(0), RETRY_MS);
        else {
          this.#open = false;
          resolve(bytes.length);
        }
      });
    });
  }
}
