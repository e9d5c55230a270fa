/** The end of a rank's process: proper if all ranks end, otherwise it ends the other ranks, too. */

import { describeError, explainError } from '../../core/errors.js';

export interface Ending {
  /** The rank ends with exit code 0. */
  finish(): void;
  /** The rank ends with another code; `text` says why, `trace` where. Does not return. */
  abort(exitCode: number, text: string, trace: string): void;
  /** Ends the process on the spot; null if it may end in its own time. */
  readonly quit: ((exitCode: number) => void) | null;
  /** Set once the rank has left the world. */
  readonly left: boolean;
}

/** Follows the process's end until {@link stop}. */
export class ExitWatch {
  readonly #ending: Ending;
  #thrown: unknown;
  #hasThrown = false;

  constructor(ending: Ending) {
    this.#ending = ending;
    process.on('uncaughtExceptionMonitor', this.#onThrown);
    process.on('exit', this.#onExit);
  }

  stop(): void {
    process.off('uncaughtExceptionMonitor', this.#onThrown);
    process.off('exit', this.#onExit);
  }

  readonly #onThrown = (error: unknown): void => {
    this.#thrown = error;
    this.#hasThrown = true;
  };

  readonly #onExit = (exitCode: number): void => {
    if (exitCode === 0 || this.#ending.left) this.#finish(exitCode);
    else if (!this.#hasThrown) this.#ending.abort(exitCode, `exit code ${exitCode}`, '');
    else this.#ending.abort(exitCode, describeError(this.#thrown), explainError(this.#thrown));
  };

  #finish(exitCode: number): void {
    const { quit } = this.#ending;
    if (exitCode === 0) this.#ending.finish();
    if (quit === null) return;
    // Nothing runs after it, so the handlers after this one are called from here.
    const all = process.listeners('exit');
    for (const later of all.slice(all.indexOf(this.#onExit) + 1)) later.call(process, exitCode);
    quit(Number(process.exitCode ?? exitCode));
  }
}
