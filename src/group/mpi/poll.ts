/**
 * A process's rest: it polls, since MPI has no wait with a deadline. It lets other processes run
 * as soon as a peer on a core of its own would have answered, and sleeps once that takes long.
 */

import type { Rest } from '../rounds/waiting.js';

/** Looks before the first rest, and between rests if every rank has a core of its own. */
const LOOKS = 32;
/** Milliseconds before the processor is yielded, if every rank has a core of its own. */
const SPIN_MS = 0.002;
/** Milliseconds of waiting after which the rank sleeps between polls, and the sleep. */
const PATIENCE_MS = 20;
const SLEEP_MS = 0.2;

export class Poll implements Rest {
  readonly mayBlock = true;
  readonly looks = LOOKS;
  readonly looksBetween: number;
  readonly #spinMs: number;
  readonly #yield: () => void;
  readonly #bed = new Int32Array(new SharedArrayBuffer(4));

  /**
   * @param crowded true if more ranks than cores share this host
   * @param yieldProcessor the system's call for it, or null
   */
  constructor(crowded: boolean, yieldProcessor: (() => void) | null) {
    this.looksBetween = crowded ? 1 : LOOKS;
    this.#spinMs = crowded ? 0 : SPIN_MS;
    this.#yield = yieldProcessor ?? (() => this.sleep(SLEEP_MS));
  }

  arm(): void {}

  disarm(): void {}

  block(waited: number): void {
    if (waited > PATIENCE_MS) this.sleep(SLEEP_MS);
    else if (waited >= this.#spinMs) this.#yield();
  }

  pause(waited: number): Promise<void> {
    return new Promise((resolve) => {
      if (waited < PATIENCE_MS) setImmediate(resolve);
      else setTimeout(resolve, 1);
    });
  }

  sleep(milliseconds: number): void {
    Atomics.wait(this.#bed, 0, 0, milliseconds);
  }
}
