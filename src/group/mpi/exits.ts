/** How a rank's process ends: properly, when all end; else it takes the others with it. */

import { describeError } from '../../core/errors.js';

export interface Ending {
  /** The rank ends with exit code 0. */
  finish(): void;
  /** The rank ends with another code; `text` says why. Does not return. */
  abort(exitCode: number, text: string): void;
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
    if (exitCode === 0) this.#ending.finish();
    else
      this.#ending.abort(
        exitCode,
        this.#hasThrown ? describeError(this.#thrown) : `exit code ${exitCode}`,
      );
  };
}
