/**
 * Watches ranks inside MPI_Init, which has no deadline of its own: a rank that stands still there
 * makes the other ranks wait in native code forever.
 */

import { readFileSync } from 'node:fs';
import { startTimer, type Timer } from '../../core/timer.js';

/** Seconds longer if no rank here is stopped: then another host's launcher can tell which one is. */
const OTHERS_FIRST = 1;

export class InitWatch {
  readonly #seconds: number;
  readonly #fail: (rank: number, how: string) => void;
  readonly #pidOf: (rank: number) => number | undefined;
  readonly #inside = new Set<number>();
  #timer: Timer;

  /**
   * @param seconds that ranks may take after all have met
   * @param fail called once, with a rank that is inside and the text after its name
   */
  constructor(
    seconds: number,
    pidOf: (rank: number) => number | undefined,
    fail: (rank: number, how: string) => void,
  ) {
    this.#seconds = seconds;
    this.#pidOf = pidOf;
    this.#fail = fail;
  }

  enter(rank: number): void {
    this.#inside.add(rank);
  }

  leave(rank: number): void {
    this.#inside.delete(rank);
    if (this.#inside.size === 0) this.stop();
  }

  /** All ranks have met: from now on each can come out. */
  start(): void {
    if (this.#inside.size === 0 || this.#timer !== undefined) return;
    this.#timer = startTimer(this.#seconds, () => this.#look(true));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #look(mayWait: boolean): void {
    const inside = [...this.#inside];
    const stopped = inside.find((rank) => isStopped(this.#pidOf(rank)));
    if (stopped === undefined && mayWait) {
      this.#timer = startTimer(OTHERS_FIRST, () => this.#look(false));
      return;
    }
    const rank = stopped ?? inside[0];
    const others = inside.filter((other) => other !== rank).join(', ');
    const what = stopped === undefined ? 'stands still' : 'is a stopped process';
    const wait = others === '' ? '' : `, and rank ${others} with it`;
    this.#fail(rank, `${what} in MPI_Init, for more than ${this.#seconds} s${wait}`);
  }
}

/** True for a process that SIGSTOP or a debugger has stopped; false on systems without /proc. */
function isStopped(pid: number | undefined): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return /^[Tt]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
