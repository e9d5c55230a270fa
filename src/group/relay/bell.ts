/** The rest of a rank in a relay world: it awaits messages, and never blocks. */

import { startTimer, type Timer } from '../../core/timer.js';
import { mustAwait } from '../may-block.js';
import type { Rest } from '../rounds/waiting.js';

export class Bell implements Rest {
  readonly mayBlock = false;
  readonly looks = 0;
  readonly looksBetween = 0;
  #waiters: (() => void)[] = [];

  /** Ends every pause: something has come. */
  ring(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  arm(): void {}

  disarm(): void {}

  block(): never {
    throw mustAwait();
  }

  async pause(_waited: number, left: number): Promise<void> {
    let timer: Timer;
    await new Promise<void>((wake) => {
      this.#waiters.push(wake);
      // One millisecond more: a deadline has passed only after it.
      timer = startTimer((Math.max(0, left) + 1) / 1000, wake);
    });
    clearTimeout(timer);
  }
}
