/** Synchronous writes: a rank that is blocked in a collective cannot flush a stream. */

import { writeSync } from 'node:fs';

/** Milliseconds between tries while a pipe is full. */
const RETRY_MS = 2;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Writes all of `bytes` to the descriptor `fd`; waits while a pipe is full. */
export function writeAll(fd: number, bytes: Uint8Array | string): void {
  let rest: Uint8Array = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }
}

let makeRoom = () => '';

/** `make` returns the text to write before each {@link say}: a terminal may show more. */
export function beforeSaying(make: () => string): void {
  makeRoom = make;
}

/** Writes to standard error, which may be gone, such as a terminal that was closed. */
export function say(text: string): void {
  try {
    writeAll(2, makeRoom() + text);
  } catch {
    // Nobody is left to tell.
  }
}
