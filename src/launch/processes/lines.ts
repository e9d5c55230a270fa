/** Lines of text from a socket, of bounded length. */

import type { Socket } from 'node:net';

interface Waiter {
  resolve(line: string): void;
  reject(error: Error): void;
}

export class LineReader {
  #rest = '';
  readonly #lines: string[] = [];
  #waiter: Waiter | null = null;
  #error: Error | null = null;
  #maxLength: number;
  readonly #socket: Socket;

  constructor(socket: Socket, maxLength: number) {
    this.#socket = socket;
    this.#maxLength = maxLength;
    socket.setEncoding('utf8');
    socket.on('data', (text) => this.#take(String(text)));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed')));
  }

  /** Allows longer lines, once the sender is known. */
  allow(maxLength: number): void {
    this.#maxLength = maxLength;
  }

  /** @throws Error when the connection is over, or a line is too long */
  next(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#error !== null) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  #take(text: string): void {
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop() ?? '';
    if ([...parts, this.#rest].some((part) => part.length > this.#maxLength)) {
      this.#fail(new Error(`a line of more than ${this.#maxLength} characters came`));
      this.#socket.destroy();
      return;
    }
    this.#lines.push(...parts);
    if (this.#waiter !== null && this.#lines.length > 0) {
      const { resolve } = this.#waiter;
      this.#waiter = null;
      resolve(this.#lines.shift() as string);
    }
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#waiter?.reject(this.#error);
    this.#waiter = null;
  }
}
